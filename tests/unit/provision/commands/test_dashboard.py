"""The link that `fab dashboard` prints, and whose it is."""

import getpass

import pytest

from dashboard.guard import OWN_NAME
from provision.commands.dashboard import address
from provision.commands.options import operator
from provision.errors import CommandError


@pytest.mark.parametrize(("stack", "host"), [("local", "jada-local"), ("acme.Prod_2", "jada-acme-prod-2")])
def test_the_page_has_a_name_of_its_own_that_the_dashboard_serves(stack, host):
    assert address(stack, 8766, "/sign-in/x") == f"http://{host}.localhost:8766/sign-in/x"
    assert OWN_NAME.fullmatch(f"{host}.localhost")


def test_who_acts_is_who_says_so_or_the_machines_user():
    assert operator({"JADA_OPERATOR": "Anna Müller"}) == "Anna Müller"
    assert operator({}) == getpass.getuser()


@pytest.mark.parametrize("name", [" ", "x" * 61, "a\x1b[31m"])
def test_a_name_that_can_not_stand_in_a_list_is_refused(name):
    with pytest.raises(CommandError, match="JADA_OPERATOR must be"):
        operator({"JADA_OPERATOR": name})

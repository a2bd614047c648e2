"""The link that `fab dashboard` prints, and whose it is."""

import getpass
import socket

import pytest
from invoke.context import Context

from dashboard.guard import OWN_NAME
from provision.commands.dashboard import address, dashboard
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


@pytest.mark.parametrize("link", [False, True])
def test_a_socket_never_takes_the_place_of_a_file(tmp_path, link):
    place, file = tmp_path / "queue.sock", tmp_path / "notes"
    file.write_text("mine")
    place.symlink_to(file) if link else file.rename(place)
    with pytest.raises(CommandError, match=f"^--socket {place}: there is something, and it is no socket"):
        dashboard(Context(), socket=str(place), stack="nowhere")
    assert place.read_text() == "mine"


def test_a_link_to_a_socket_is_no_socket_either(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("real.sock")
        (tmp_path / "queue.sock").symlink_to("real.sock")
        with pytest.raises(CommandError, match="it is no socket"):
            dashboard(Context(), socket="queue.sock", stack="nowhere")


def test_a_path_that_is_too_long_for_a_socket_is_refused_in_words(tmp_path):
    place = tmp_path / ("ü" * 60)
    with pytest.raises(CommandError, match=r"^--socket .*: a socket's path has at most 10[37] bytes"):
        dashboard(Context(), socket=str(place), stack="nowhere")

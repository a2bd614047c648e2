"""Sites, demos and tests on one machine keep out of each other's way."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import locks
from local.site import Site

SITE, OTHER = Site("jadalocks", 98), Site("jadalocks2", 98)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "FOLDER", tmp_path)


def test_a_site_is_one_processs_and_the_refusal_names_it():
    with locks.site(SITE):
        with pytest.raises(locks.Held, match=f"jadalocks is in use by process {os.getpid()} "), locks.site(SITE):
            pass
        with locks.site(OTHER):
            pass
    with locks.site(SITE):
        pass


def test_an_octet_is_one_sites_and_the_refusal_names_it():
    with locks.octet(SITE):
        for refused in (SITE, OTHER):
            with pytest.raises(locks.Held, match=r"10\.98\.0\.0/16 is in use by jadalocks"), locks.octet(refused):
                pass
    with locks.octet(OTHER):
        pass


def test_a_demo_may_act_on_the_octet_that_is_held_for_its_site_and_on_no_other():
    with locks.octet(SITE):
        with locks.octet(SITE, shared=True):
            pass
        with pytest.raises(locks.Held), locks.octet(OTHER, shared=True):
            pass


def test_a_refused_lock_keeps_its_holders_name():
    with locks.site(SITE), ExitStack() as stack:
        for _ in range(2):
            with pytest.raises(locks.Held, match=f"process {os.getpid()}"):
                stack.enter_context(locks.site(SITE))


def test_a_second_run_of_the_tests_is_told_of_the_first_and_goes_on():
    with locks.tests() as first, locks.tests() as second:
        assert (first, second) == ("", f"process {os.getpid()} in {Path.cwd()}")
    with locks.tests() as after:
        assert after == ""

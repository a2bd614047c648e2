"""A secret is seen only where it is asked for by name."""

import dataclasses
import pickle

import pytest

from wire.secret import Secret

SECRET = Secret("canary-7f3a")


@pytest.mark.parametrize("shown", [str(SECRET), repr(SECRET), f"{SECRET}", f"{[SECRET]}", f"{SECRET!r:>20}"])
def test_no_way_of_printing_shows_it(shown):
    assert "canary" not in shown
    assert "redacted" in shown


def test_a_dataclass_that_holds_it_does_not_show_it():
    holder = dataclasses.make_dataclass("Holder", [("token", Secret)])
    assert "canary" not in repr(holder(SECRET))


def test_it_is_not_pickled():
    with pytest.raises(TypeError):
        pickle.dumps(SECRET)


def test_reveal_gives_it():
    assert SECRET.reveal() == "canary-7f3a"

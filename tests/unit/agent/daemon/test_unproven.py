"""A release is unproven while the installer's file names it."""

import json

import pytest

from agent.daemon.unproven import Unproven
from provision.onhost.runs import Record

ORDERS = {"restart": [], "healthy": [], "health": {}}


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "releases" / "r2" / "app"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(("release", "unproven"), [("r2", True), ("r1", False)])
def test_it_is_what_the_installer_wrote(tmp_path, app, release, unproven):
    record = Record(tmp_path)
    record.begin(release, "run", ORDERS)
    asks = Unproven(app)
    assert asks() is unproven
    record.end()
    assert asks() is False


@pytest.mark.parametrize("left", ["", "{", "[]"])
def test_a_file_that_says_nothing_lets_no_work_begin_unless_it_names_no_release(tmp_path, app, left):
    (tmp_path / "pending.json").write_text(left)
    assert Unproven(app)() is (left != "[]")


def test_outside_of_a_release_nothing_is_to_be_proven(tmp_path):
    (tmp_path / "pending.json").write_text(json.dumps({"release": tmp_path.name}))
    assert not Unproven(tmp_path / "checkout" / "jada")()

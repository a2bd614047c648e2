"""A run that root starts by hand goes within the unit's walls."""

import os

import pytest

from sync.__main__ import _options
from sync.walls import SETTINGS, STATE, command, needed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_in_another_user_s_folder_becomes_that_user(tmp_path):
    os.chown(tmp_path, 4711, 4711)
    assert needed(tmp_path, {}, 0) == "4711"


def test_the_unit_itself_other_users_and_root_s_own_folder_stay_as_they_are(tmp_path):
    assert needed(tmp_path, {"CREDENTIALS_DIRECTORY": "/x"}, 0) is None
    assert needed(tmp_path, {}, 1000) is None
    assert needed(tmp_path / "nowhere", {}, 0) is None


def test_it_has_the_secrets_that_are_there_and_the_unit_s_bounds(tmp_path):
    words = command(["python", "-m", "sync", "--dry-run"], tmp_path / "app", tmp_path, "4711", ["bookings_token"])
    assert words[:5] == ["systemd-run", "--pipe", "--wait", "--collect", "--quiet"]
    assert "--property=LoadCredential=bookings_token:/home/jada/secrets/bookings_token" in words
    assert {"--property=User=4711", "--property=MemoryMax=300M", "--property=ProtectHome=yes"} <= set(words)
    assert words[-4:] == ["python", "-m", "sync", "--dry-run"]


def test_by_hand_on_the_host_nothing_need_be_said_but_what_is_wanted():
    options = _options(["--dry-run"])
    assert (options.settings, options.state) == (SETTINGS, STATE)

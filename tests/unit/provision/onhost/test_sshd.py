import os
import subprocess

import pytest

from provision.onhost import sshd

BEFORE = {"trustedusercakeys": "/etc/ssh/ca.pub", "casignaturealgorithms": "ssh-ed25519,ssh-rsa", "port": "22"}


def test_a_list_of_users_with_the_login_user_is_a_way_in():
    assert sshd.lost_ways_in(BEFORE, {**BEFORE, "allowusers": "anna admin"}, "admin") == []


@pytest.mark.parametrize("allowed", ["anna", "administrator", "nobody root"])
def test_a_list_of_users_without_the_login_user_locks_them_out(allowed):
    assert sshd.lost_ways_in(BEFORE, {**BEFORE, "allowusers": allowed}, "admin") == ["allowusers"]


@pytest.mark.parametrize("key", BEFORE)
def test_what_certificates_go_by_must_stay_as_it_was(key):
    assert sshd.lost_ways_in(BEFORE, {**BEFORE, key: "other"}, "admin") == [key]
    assert sshd.lost_ways_in(BEFORE, {name: value for name, value in BEFORE.items() if name != key}, "admin") == [key]


def test_what_is_tried_aside_reads_its_own_files_and_not_those_in_force(tmp_path):
    etc, folder = tmp_path / "etc", tmp_path / "aside"
    (etc / "sshd_config.d").mkdir(parents=True)
    (etc / "sshd_config.d" / "10-jada.conf").write_text("old")
    (etc / "sshd_config").write_text(f"Include {etc}/sshd_config.d/*.conf\nPort 22\n")
    folder.mkdir()
    aside = sshd.copied(etc, folder)
    assert (aside / "sshd_config").read_text() == f"Include {folder}/sshd_config.d/*.conf\nPort 22\n"
    assert (aside / "sshd_config.d" / "10-jada.conf").read_text() == "old"


WEAK = "hmac-sha1,hmac-sha2-256,umac-64@openssh.com"


@pytest.mark.parametrize(
    ("offered", "left"), [("hmac-sha2-256,umac-128@openssh.com", []), (WEAK, ["hmac-sha1", "umac-64@openssh.com"])]
)
def test_what_was_to_be_taken_out_of_a_list_and_is_still_offered_is_named(offered, left):
    assert sshd.still_offered("macs hmac-sha1*,umac-64*", {"macs": offered}) == left


@pytest.fixture
def undoing(tmp_path):
    """The program by which settings are taken back, and its files; sshd's reload says what is there by then."""
    reload = tmp_path / "bin" / "systemctl"
    reload.parent.mkdir()
    reload.write_text(f"#!/bin/sh\nls {tmp_path} >{tmp_path}/seen\n")
    reload.chmod(0o755)
    files = {name: tmp_path / name for name in ("before", "path", "program", "taken_back")}
    files["before"].write_text("old")
    files["path"].write_text("new")
    text = sshd.TAKE_BACK.format(**files)
    files["program"].write_text(text)
    return files, text, {**os.environ, "PATH": f"{reload.parent}:{os.environ['PATH']}"}


@pytest.mark.process
def test_a_login_that_comes_while_settings_are_taken_back_does_not_confirm_them(undoing):
    files, _, env = undoing
    subprocess.run(["sh", files["program"]], env=env, check=True)
    assert files["path"].read_text() == "old"
    seen = files["path"].with_name("seen").read_text().split()
    assert ("taken_back" in seen, "program" in seen) == (True, False)


@pytest.mark.process
def test_settings_that_a_login_has_just_confirmed_are_not_taken_back(undoing):
    files, text, env = undoing
    files["program"].unlink()
    subprocess.run(["sh"], input=text, env=env, text=True, capture_output=True, check=True)
    assert (files["path"].read_text(), files["taken_back"].exists()) == ("new", False)

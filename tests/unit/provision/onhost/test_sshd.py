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

import pytest

from provision.onhost import system

BEFORE = {"trustedusercakeys": "/etc/ssh/ca.pub", "casignaturealgorithms": "ssh-ed25519,ssh-rsa", "port": "22"}


def test_a_list_of_users_with_the_login_user_is_a_way_in():
    assert system.lost_ways_in(BEFORE, {**BEFORE, "allowusers": "anna admin"}, "admin") == []


@pytest.mark.parametrize("allowed", ["anna", "administrator", "nobody root"])
def test_a_list_of_users_without_the_login_user_locks_them_out(allowed):
    assert system.lost_ways_in(BEFORE, {**BEFORE, "allowusers": allowed}, "admin") == ["allowusers"]


@pytest.mark.parametrize("key", BEFORE)
def test_what_certificates_go_by_must_stay_as_it_was(key):
    assert system.lost_ways_in(BEFORE, {**BEFORE, key: "other"}, "admin") == [key]
    assert system.lost_ways_in(BEFORE, {name: value for name, value in BEFORE.items() if name != key}, "admin") == [key]

import pytest

from doubles.database import Database
from doubles.google.vault import TABLES, Grant, Vault
from tests.clocks import Clock

SCOPES = ("a", "b")


def opened(folder, clock):
    return Vault(Database(folder / "google.sqlite", TABLES), clock)


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def vault(tmp_path, clock):
    return opened(tmp_path, clock)


def test_a_token_outlives_the_process(tmp_path, clock, vault):
    token = vault.give("refresh", Grant(SCOPES))
    assert opened(tmp_path, clock).find("refresh", token) == Grant(SCOPES)


def test_a_token_is_good_for_its_kind_and_its_time(vault, clock):
    token = vault.give("access", Grant(SCOPES, expires=1010))
    assert vault.find("refresh", token) is None
    clock.now = 1009
    assert vault.find("access", token)
    clock.now = 1010
    assert vault.find("access", token) is None


def test_a_code_can_be_taken_once(vault):
    code = vault.give("code", Grant(SCOPES))
    assert vault.take("code", code) == Grant(SCOPES)
    assert vault.take("code", code) is None


def test_the_oldest_of_more_than_a_hundred_refresh_tokens_dies(vault):
    tokens = [vault.give("refresh", Grant(SCOPES)) for _ in range(101)]
    assert vault.find("refresh", tokens[0]) is None
    assert all(vault.find("refresh", token) for token in tokens[1:])

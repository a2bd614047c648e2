import base64
import os

import pytest

from provision.onhost import secret_store

pytestmark = pytest.mark.root


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "jada" / "secrets"


def _order(folder, secrets=()):
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in dict(secrets).items()}
    return {"folder": str(folder), "secrets": encoded, "readers": {}}


def test_only_root_reads_a_secret_and_its_folder(folder):
    answer = secret_store.main(_order(folder, {"token": "value\n"}))
    assert answer["changed"] == ["token"]
    assert (folder / "token").read_text() == "value\n"
    assert (folder / "token").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_same_secret_again_is_no_change_but_its_mode_is_mended(folder):
    secret_store.main(_order(folder, {"token": "value\n"}))
    (folder / "token").chmod(0o644)
    folder.chmod(0o755)
    assert secret_store.main(_order(folder, {"token": "value\n"}))["changed"] == []
    assert (folder / "token").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_no_value_is_in_the_answer(folder):
    assert "canary" not in str(secret_store.main(_order(folder, {"token": "canary\n"})))


def test_a_half_written_file_of_before_is_no_obstacle(folder):
    folder.mkdir(parents=True)
    (folder / ".token.new").write_text("half")
    secret_store.main(_order(folder, {"token": "value\n"}))
    assert [path.name for path in folder.iterdir()] == ["token"]


def test_asked_without_secrets_it_answers_with_names_only(folder):
    secret_store.main(_order(folder, {"b": "x\n", "a": "y\n"}))
    assert secret_store.main({"folder": str(folder)}) == {"held": ["a", "b"]}


def test_a_secret_that_is_being_written_is_not_held_yet(folder):
    secret_store.main(_order(folder, {"token": "value\n"}))
    (folder / ".key.new").write_text("hal")
    assert secret_store.held(folder) == ["token"]


SYSTEMCTL = """#!/bin/sh
[ "$1" = restart ] && echo "$2" >>{folder}/restarted && exit
printf 'ActiveState=%s\\nSubState=%s\\n' $(cat {folder}/state)
"""


@pytest.mark.parametrize(
    ("state", "restarted"),
    [
        ("active running", True),
        ("activating start", True),
        ("activating auto-restart", False),
        ("failed failed", False),
        ("inactive dead", False),
    ],
)
def test_a_unit_that_was_given_the_older_copy_is_restarted_also_while_it_starts(
    folder, tmp_path, monkeypatch, state, restarted
):
    (tmp_path / "state").write_text(state)
    (tmp_path / "systemctl").write_text(SYSTEMCTL.format(folder=tmp_path))
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    order = {**_order(folder, {"token": "value\n"}), "readers": {"token": ["jada-agent.service"]}}
    assert secret_store.main(order)["restarted"] == (["jada-agent.service"] if restarted else [])
    assert (tmp_path / "restarted").exists() is restarted

import base64
import os

import pytest

from provision.onhost import secret_store, units

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
[ "$1" = restart ] && {{ echo "$2" >>{folder}/restarted; [ "$2" != broken.service ]; exit; }}
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
    programs(tmp_path, monkeypatch, state)
    order = {**_order(folder, {"token": "value\n"}), "readers": {"token": ["jada-agent.service"]}}
    answer = secret_store.main(order)
    assert (answer["restarted"], answer["failed"]) == (["jada-agent.service"] if restarted else [], {})
    assert (tmp_path / "restarted").exists() is restarted


def test_a_unit_that_does_not_start_is_named_with_its_last_words_and_keeps_no_other_from_its_secret(
    folder, tmp_path, monkeypatch
):
    programs(tmp_path, monkeypatch, "active running")
    readers = {"token": ["broken.service", "jada-agent.service"]}
    answer = secret_store.main({**_order(folder, {"token": "value\n"}), "readers": readers})
    assert answer["restarted"] == ["jada-agent.service"]
    assert answer["failed"] == {"broken.service": "broken.service did not start; its journal ends:\n    no such model"}


def test_a_unit_that_still_holds_the_older_copy_is_restarted_by_the_next_try(folder, tmp_path, monkeypatch):
    """The first one was cut off after it wrote."""
    programs(tmp_path, monkeypatch, "active running")
    monkeypatch.setattr(units, "SECRETS", folder)
    monkeypatch.setattr(units, "CREDENTIALS", tmp_path)
    readers = {"token": ["jada-agent.service", "jada-notify.service"], "key": ["jada-dashboard.service"]}
    for unit, held in {"jada-agent": "old", "jada-notify": "value", "jada-dashboard": "value"}.items():
        (tmp_path / f"{unit}.service").mkdir()
        (tmp_path / f"{unit}.service" / "token").write_text(f"{held}\n")
    secret_store.main(_order(folder, {"token": "value\n", "key": "value\n"}))
    answer = secret_store.main({**_order(folder, {"token": "value\n", "key": "value\n"}), "readers": readers})
    assert (answer["changed"], answer["restarted"], answer["failed"]) == ([], ["jada-agent.service"], {})


def programs(folder, monkeypatch, state):
    """Have systemd's programs say what a unit's state is, and what its journal ends with."""
    (folder / "state").write_text(state)
    for name, text in {"systemctl": SYSTEMCTL, "journalctl": "#!/bin/sh\necho no such model\n"}.items():
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

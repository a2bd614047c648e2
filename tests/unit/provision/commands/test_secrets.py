import errno
from pathlib import Path

import pytest

from provision.commands import secrets
from provision.errors import CommandError


def test_secrets_come_from_the_environment_by_name():
    found = secrets.gather({"JADA_SECRET_PORT_SHEET_TOKEN_JSON": '{"a": 1}', "JADA_SECRET_OTHER": "x"}, None)
    assert {name: secret.reveal() for name, secret in found.items()} == {"port_sheet_token.json": '{"a": 1}\n'}


def test_a_folders_files_come_before_the_environment(tmp_path):
    (tmp_path / "bookings_token").write_text("from the file\n")
    found = secrets.gather({"JADA_SECRET_BOOKINGS_TOKEN": "from the environment"}, tmp_path)
    assert found["bookings_token"].reveal() == "from the file\n"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match="nowhere"):
        secrets.gather({}, tmp_path / "nowhere")


def test_the_mark_with_which_windows_editors_begin_a_file_is_no_part_of_the_secret(tmp_path):
    (tmp_path / "bookings_token").write_bytes("\ufefftoken\r\n".encode())
    assert secrets.gather({}, tmp_path)["bookings_token"].reveal() == "token\n"


def test_a_file_in_another_encoding_is_named_without_showing_it(tmp_path):
    (tmp_path / "bookings_token").write_text("canary", encoding="utf-16")
    with pytest.raises(CommandError, match="bookings_token is no text in UTF-8") as caught:
        secrets.gather({}, tmp_path)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_can_not_be_read_is_named(tmp_path):
    # A file that not even root can read at its beginning.
    (tmp_path / "bookings_token").symlink_to("/proc/self/mem")
    with pytest.raises(CommandError, match="bookings_token can't be read: Input/output error"):
        secrets.gather({}, tmp_path)


def test_a_folder_that_can_not_be_read_is_named(tmp_path, monkeypatch):
    def closed(_folder):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)  # root may read every folder
    with pytest.raises(CommandError, match=f"{tmp_path} can't be read: Permission denied"):
        secrets.gather({}, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bookings_token", "  \n", "bookings_token is empty"),
        ("bookings_token", "two\nlines", "more than one line"),
        ("port_sheet_token.json", "{tok-canary", "not valid JSON"),
        ("notify_targets", "mail = mailto://u:canary@example.com", "notify_targets, line 1"),
    ],
)
def test_a_secret_that_can_not_be_one_is_refused_without_showing_it(name, text, said):
    with pytest.raises(CommandError, match=said) as caught:
        secrets.gather({secrets.SECRETS[name].variable: text}, None)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_targets_may_have_several_lines(tmp_path):
    (tmp_path / "notify_targets").write_text("mail = mailtos://u:p@example.com\nchat = slack://A/B/C\n")
    assert secrets.gather({}, tmp_path)["notify_targets"].reveal().count("\n") == 2


def test_the_operator_is_asked_with_name_and_purpose_and_may_leave_one_out():
    asked = []

    def prompt(text):
        asked.append(text)
        return "" if "bookings" in text else "typed"

    found = secrets.ask(["anthropic_api_key", "bookings_token"], prompt)
    assert "the worker's key to Claude" in asked[0]
    assert {name: secret.reveal() for name, secret in found.items()} == {"anthropic_api_key": "typed\n"}


def test_an_input_that_ends_at_a_question_is_no_answer():
    def prompt(_text):
        raise EOFError

    with pytest.raises(CommandError, match="bookings_token was not answered"):
        secrets.ask(["bookings_token"], prompt)


def test_what_was_done_is_reported_without_values():
    answer = {
        "changed": ["bookings_token"], "restarted": ["jada-agent.service"], "failed": {},
        "held": ["bookings_token", "anthropic_api_key", "port_sheet_client.json"],
    }  # fmt: skip
    lines = list(secrets.report_lines(answer))
    assert lines[0] == "changed: bookings_token"
    assert "as before: anthropic_api_key, port_sheet_client.json" in lines
    assert "restarted, because they read them: jada-agent.service" in lines
    assert lines[-1].startswith("missing: port_sheet_token.json, Google's credential")


def test_googles_credential_is_not_asked_of_a_host_whose_sync_is_off():
    answer = {"changed": [], "restarted": [], "failed": {}, "held": ["anthropic_api_key"]}
    assert any("port_sheet_token.json" in line for line in secrets.report_lines(answer))
    assert list(secrets.report_lines(answer, ["port-sheet-sync.service"])) == ["as before: anthropic_api_key"]


def test_a_misspelt_file_is_refused_with_the_name_that_is_meant(tmp_path):
    (tmp_path / "bookings_tokn").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    with pytest.raises(CommandError, match=r"bookings_tokn; is bookings_token meant\?"):
        secrets.gather({}, tmp_path)
    (tmp_path / "bookings_tokn").rename(tmp_path / "bookings_token")
    assert set(secrets.gather({}, tmp_path)) == {"bookings_token"}


def test_a_service_that_did_not_start_is_said_beside_what_was_done_before_another_host_is_asked():
    why = "jada-agent.service did not start; its journal ends:\n    no such model"
    answer = {
        "changed": ["bookings_token"], "restarted": [], "failed": {"jada-agent.service": why},
        "held": ["bookings_token"],
    }  # fmt: skip
    lines = list(secrets.report_lines(answer, ["port-sheet-sync.service"]))
    assert lines[:2] == ["changed: bookings_token", "not started with them: jada-agent.service"]


def test_a_service_that_did_not_start_with_its_secret_ends_the_command_with_its_last_words():
    secrets.require_started({"box-1": {}})
    why = "jada-agent.service did not start; its journal ends:\n    no such model"
    with pytest.raises(CommandError) as refused:
        secrets.require_started({"box-1": {}, "box-2": {"jada-agent.service": why}})
    assert refused.value.cause == f"box-2: {why}"
    assert "`fab deploy` starts" in refused.value.cure

import pytest

from provision.release import diffs

OLD = "[agent]\nmax_turns = 30\nmodel = 'a'\n"


def test_a_text_is_shown_as_a_unified_diff():
    assert diffs.of_text("etc/jada.toml", OLD, OLD.replace("30", "20")).lines == (
        "--- etc/jada.toml",
        "+++ etc/jada.toml",
        "@@ -1,3 +1,3 @@",
        " [agent]",
        "-max_turns = 30",
        "+max_turns = 20",
        " model = 'a'",
    )


def test_a_text_that_comes_or_goes_is_said_so():
    assert diffs.of_text("x", None, "a\n").lines[:2] == ("--- /dev/null", "+++ x")
    assert diffs.of_text("x", "a\n", None).lines[:2] == ("--- x", "+++ /dev/null")


@pytest.mark.parametrize(
    "line",
    [
        'api_key = "CANARY"',
        "Environment=ANTHROPIC_API_KEY=CANARY",
        "password: CANARY and more",
        '"token": "CANARY"',
        "client_secret=CANARY",
    ],
)
def test_what_looks_like_a_secret_is_never_shown_not_even_where_it_changes(line):
    shown = diffs.of_text("x", f"{line}\n", f"{line}2\nmore = 1\n")
    assert "CANARY" not in "\n".join(shown.lines)
    assert "+more = 1" in shown.lines
    alone = diffs.of_text("x", f"{line}\n", f"{line}2\n")
    assert alone.lines == ("(only what is not shown differs)",)


@pytest.mark.parametrize(
    "line", ["LoadCredential=anthropic_api_key:/home/jada/secrets/key", "PasswordAuthentication no"]
)
def test_names_of_secrets_and_settings_about_passwords_are_shown(line):
    assert f"+{line}" in diffs.of_text("x", "", f"{line}\n").lines


def test_of_a_release_settings_and_units_are_shown_and_code_is_counted():
    before = {"etc/jada.toml": "1", "units/a.service": "2", "app/agent/a.py": "3", "app/agent/b.py": "4"}
    texts = {"etc/jada.toml": "x = 1\n", "units/a.service": "[Unit]\n"}
    after = {
        "etc/jada.toml": b"x = 2\n",
        "units/a.service": b"[Unit]\n",
        "app/agent/a.py": b"new",
        "app/agent/c.py": b"",
    }
    assert [diff.path for diff in diffs.of_release(before, texts, after)] == ["etc/jada.toml"]
    digests = {name: str(number) for number, name in enumerate(after)}
    assert [*diffs.counted(before, digests)] == ["app/agent: ±a.py, -b.py, +c.py"]

from pathlib import Path

import pytest

from notify.settings import Settings, read, read_targets
from wire.settings_file import load
from wire.values import Invalid

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["jada.local.toml", "jada.prod.toml"])
def test_the_shipped_files_say_every_key_with_its_default(name):
    assert load(ROOT / name, "notify", read) == Settings()
    section = (ROOT / name).read_text().split("\n[notify]")[1].split("\n[")[0]
    assert all(f"\n{key} = " in section for key in Settings.__struct_fields__)


@pytest.mark.parametrize("line", ["poll_seconds = 0", "poll_seconds = 31", 'dashboard_url = "jada"', "colour = 1"])
def test_a_wrong_key_is_refused_by_name(tmp_path, line):
    (tmp_path / "jada.toml").write_text(f"[notify]\n{line}\n")
    with pytest.raises(Invalid, match=f"notify.{line.split()[0]}"):
        load(tmp_path / "jada.toml", "notify", read)


def test_targets_are_lines_of_a_name_and_a_url():
    found = read_targets("# ours\n\nmail = mailtos://u:p@example.com?to=a=b\n  chat=slack://A/B/C  \n")
    assert {name: url.reveal() for name, url in found.items()} == {
        "mail": "mailtos://u:p@example.com?to=a=b",
        "chat": "slack://A/B/C",
    }


def test_an_empty_secret_has_no_targets():
    assert read_targets("\n") == {}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("mail mailtos://u:pass-word@h", "must be `name = URL`"),
        ("Mail = mailtos://u:pass-word@h", "must be `name = URL`"),
        ("mail = pass-word", "must be `name = URL`"),
        ("mail = mailtos://u:pass-word@h x", "must be `name = URL`"),
        ("mail = mailto://u:pass-word@h", "mailtos://"),
        ("chat = slack://pass-word", "names chat a second time"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number_and_never_shown(line, says):
    with pytest.raises(Invalid, match="notify_targets, line 2") as refused:
        read_targets(f"chat = slack://A/B/C\n{line}\n")
    assert says in str(refused.value)
    assert "pass-word" not in str(refused.value)

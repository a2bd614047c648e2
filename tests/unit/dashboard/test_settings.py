from datetime import UTC
from functools import partial
from pathlib import Path

import pytest

from dashboard.settings import (
    Notify,
    OffBox,
    Recurring,
    Settings,
    Template,
    WorkLimits,
    endpoint,
    off_box,
    read,
    work_limits,
    zone,
)
from wire import settings_file
from wire.values import Invalid

load = partial(settings_file.load, name="dashboard", read=read)

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["jada.local.toml", "jada.prod.toml"])
def test_the_shipped_files_say_every_key_with_its_default(name):
    assert load(ROOT / name) == Settings()
    section = (ROOT / name).read_text().split("[dashboard]")[1]
    tables = ("notify", "fleet", "templates", "recurring")
    keys = [key for key in Settings.__struct_fields__ if key not in tables]
    assert all(f"\n{key} = " in section for key in keys)
    keys_of_notify = section.split("[dashboard.notify]")[1].split("\n[")[0]
    assert all(f"\n{key} = " in keys_of_notify.replace("\n# ", "\n") for key in Notify.__struct_fields__)


@pytest.mark.parametrize("name", ["jada.local.toml", "jada.prod.toml"])
def test_the_shipped_examples_of_templates_and_recurring_tasks_are_good_ones(name, tmp_path):
    """Each key of theirs is among them, and what they say is taken."""
    text = (ROOT / name).read_text()
    part = text[text.index("# [dashboard.templates.") : text.index("# The sender of what")]
    lines = [line.removeprefix("# ") for line in part.splitlines()]
    example = "\n".join(line for line in lines if line.startswith("[") or " = " in line)
    (tmp_path / "jada.toml").write_text(example)
    made = load(tmp_path / "jada.toml")
    for kind, values in ((Template, made.templates), (Recurring, made.recurring)):
        assert len(values) == 1
        assert all(f"\n{key} = " in example for key in kind.__struct_fields__)


def test_a_file_without_the_section_means_the_defaults(tmp_path):
    (tmp_path / "jada.toml").write_text("[agent]\n")
    assert load(tmp_path / "jada.toml") == Settings()


@pytest.mark.parametrize(
    "line",
    [
        'socket = ""',
        'socket = "queue.sock"',
        'listen = "8765"',
        'listen = "localhost:8765"',
        'listen = "10.0.0.256:8765"',
        'listen = "10.0.0.5:65536"',
        'listen = "[10.0.0.5]:1:2"',
        "lease_s = 0",
        "colour = 1",
    ],
)
def test_a_wrong_key_is_refused_by_name(tmp_path, line):
    (tmp_path / "jada.toml").write_text(f"[dashboard]\n{line}\n")
    with pytest.raises(Invalid, match=f"dashboard.{line.split()[0]}"):
        load(tmp_path / "jada.toml")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('targets = ["mail", "mail"]', "dashboard.notify.targets"),
        ('targets = ["Mail us"]', "dashboard.notify.targets"),
        ('text = "all"', "dashboard.notify.text"),
        ("remind_hours = 721", "dashboard.notify.remind_hours"),
        ("burst = 0", "dashboard.notify.burst"),
        ('quiet = ["22:00"]', "dashboard.notify.quiet"),
        ('quiet = ["22:00", "24:00"]', "dashboard.notify.quiet"),
        ('time_zone = "Mars/Olympus"', "dashboard.notify.time_zone"),
        ('time_zone = "../etc/passwd"', "dashboard.notify.time_zone"),
        ('link = "jada.example.com"', "dashboard.notify.link"),
    ],
)
def test_what_is_sent_is_refused_by_its_key(tmp_path, line, key):
    file = tmp_path / "jada.toml"
    file.write_text(f"[dashboard.notify]\n{line}\n")
    with pytest.raises(Invalid) as refused:
        load(file)
    assert key in str(refused.value)


@pytest.mark.parametrize("line", ['address = "127.0.0.1"', "port = 8765"])
def test_the_port_of_an_earlier_release_is_refused_with_what_to_do(tmp_path, line):
    (tmp_path / "jada.toml").write_text(f"[dashboard]\n{line}\n")
    with pytest.raises(Invalid, match="Take out address, port and every dashboard_url"):
        load(tmp_path / "jada.toml")


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("10.0.0.5:8765", ("10.0.0.5", 8765)),
        ("[fd00::1]:80", ("fd00::1", 80)),
        ("10.0.0.5:0", ("10.0.0.5", 0)),
        ("10.0.0.5:65535", ("10.0.0.5", 65535)),
    ],
)
def test_the_port_for_other_hosts(tmp_path, listen, found):
    (tmp_path / "jada.toml").write_text(f'[dashboard]\nlisten = "{listen}"\n')
    assert endpoint(load(tmp_path / "jada.toml").listen) == found


def test_the_workers_limits_are_those_of_its_section_or_its_defaults():
    assert work_limits({}) == WorkLimits()
    given = {"turns": 40, "sessions_per_day": 7, "usd_per_day": 2.5, "hand_over_tokens": 50_000, "poll_seconds": 9}
    assert work_limits(given) == WorkLimits(turns=40, sessions_per_day=7, usd_per_day=2.5, hand_over_tokens=50_000)
    with pytest.raises(Invalid, match=r"agent\.turns: must be a whole number"):
        work_limits({"turns": "many"})


def test_utc_needs_no_zones_on_the_machine():
    assert zone("UTC") is UTC
    assert str(zone("Europe/Lisbon")) == "Europe/Lisbon"


@pytest.mark.parametrize(
    ("templates", "known"),
    [("", "none is set up"), ('[dashboard.templates.a]\ntitle = "A"\n[dashboard.templates.b]\ntitle = "B"\n', "a, b")],
)
def test_a_recurring_task_names_the_templates_that_there_are(tmp_path, templates, known):
    recurring = '[dashboard.recurring.x]\ntemplate = "t"\ncron = "1 * * * *"\n'
    (tmp_path / "jada.toml").write_text(templates + recurring)
    with pytest.raises(Invalid, match=f"recurring.x.template: is no template: 't'; known: {known}$"):
        load(tmp_path / "jada.toml")


def test_a_template_with_too_long_a_description_is_refused_by_its_key():
    with pytest.raises(Invalid, match=r"^description: "):
        Template(title="t", description="x" * 2_000_000)


def test_what_is_known_of_the_backup_is_what_its_section_says_or_its_defaults():
    assert off_box({}) == OffBox()
    assert off_box({"target": "sftp://u@h", "alarm_hours": 9, "hour": 4}) == OffBox(target="sftp://u@h", alarm_hours=9)
    with pytest.raises(Invalid, match=r"backup\.alarm_hours: must be a whole number"):
        off_box({"alarm_hours": "many"})

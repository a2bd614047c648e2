from pathlib import Path

import pytest

from provision import stack_file
from provision.errors import CommandError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "jada.local.toml").write_text(text)
        return tmp_path / "jada.local.toml"

    return write


@pytest.mark.parametrize("name", ["jada.local.toml", "jada.prod.toml"])
def test_the_shipped_files_pass(name):
    assert stack_file.load(ROOT / name).deploy.keep_releases == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[deploy]\nkeep_release = 3", "deploy.keep_release: unknown"),
        ("[deploy]\nkeep_releases = '3'", "deploy.keep_releases: must be a whole number"),
        ("[deploy]\nhealth_s = 5", "deploy.health_s: must be at least 10"),
        ("[agent]\nturn = 3", "agent.turn: unknown"),
        ("[agent]\nturns = 1", "agent.turns: must be at least 2"),
        ("[agent]\nmodel = 'claude-nosuch-1'", "model: claude-nosuch-1 has no price, so it can't be used; known are"),
        ("[dashboard]\nlease_s = 'x'", "dashboard.lease_s: must be a whole number"),
        ("[dashboard]\nport = 8765", "dashboard.port: is gone"),
        ("[sync]\nx = 1", "sync.x: unknown"),
        ("[backup]\nx = 1", "backup.x: unknown"),
        ("[audit]\nx = 1", "audit.x: unknown"),
        ("[deplyo]\n", "deplyo: unknown; known are agent, sync, dashboard, notify, backup, deploy"),
        ("[deploy", "is not valid TOML"),
    ],
)
def test_a_wrong_key_type_or_range_in_any_section_is_refused_by_name(file, text, said):
    sync = "" if "[sync]" in text else '[sync]\nbookings_url = "http://127.0.0.1:1"\nspreadsheet_id = "x"\n'
    with pytest.raises(CommandError) as caught:
        stack_file.load(file(f"{sync}{text}"))
    assert said in caught.value.cause


SYNC = '[sync]\nbookings_url = "http://127.0.0.1:1"\nspreadsheet_id = "x"\n'


def test_a_folder_for_tools_must_be_beside_the_settings_and_small_enough_to_travel(file, tmp_path):
    path = file(f'{SYNC}[agent]\nreference = "handbook"\n')
    with pytest.raises(CommandError, match=r"agent\.reference: there is no folder handbook beside this file"):
        stack_file.load(path)
    (tmp_path / "handbook").mkdir()
    assert stack_file.load(path)
    with (tmp_path / "handbook" / "film").open("wb") as film:
        film.truncate(21 << 20)
    with pytest.raises(CommandError, match=r"agent\.reference: handbook holds 21 MB, and a release takes 20 along"):
        stack_file.load(path)


@pytest.mark.parametrize("name", ["../secrets", "a/b", ".", "..", ""])
def test_a_folder_for_tools_is_beside_the_settings_or_has_a_whole_path(file, name):
    with pytest.raises(CommandError, match=r"agent\.reference: must be an absolute path on the host, or the name of"):
        stack_file.load(file(f'{SYNC}[agent]\nreference = "{name}"\n'))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"jada\.nowhere\.toml"):
        stack_file.load(tmp_path / "jada.nowhere.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unix:/run/jada-dashboard/queue.sock", "http://127.0.0.1:8765", "agent.dashboard_url: leads nowhere"),
        ("unix:/run/jada-dashboard/queue.sock", "unix:/run/queue.sock", "agent.dashboard_url: leads nowhere"),
        ("unix:/run/jada-dashboard/queue.sock", "http://10.0.0.5:8765", None),
    ],
)
def test_who_looks_for_the_queue_on_its_own_host_must_find_it(file, old, new, said):
    text = (ROOT / "jada.local.toml").read_text().replace(old, new, 1)
    if said is None:
        assert stack_file.load(file(text)).queue == "/run/jada-dashboard/queue.sock"
        return
    with pytest.raises(CommandError) as caught:
        stack_file.load(file(text))
    assert said in caught.value.cause
    assert "unix:/run/jada-dashboard/queue.sock" in caught.value.cause


def test_the_queues_socket_comes_from_the_dashboards_section(file):
    text = (ROOT / "jada.local.toml").read_text().replace("/run/jada-dashboard/queue.sock", "/run/other/q.sock")
    assert stack_file.load(file(text)).queue == "/run/other/q.sock"


@pytest.mark.parametrize("part", ["agent", "sync", "notify"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_each_part_that_looks_for_the_queue_at_a_port_of_its_host_is_named(file, part, host):
    sync = '[sync]\nbookings_url = "http://127.0.0.1:1"\nspreadsheet_id = "x"\n'
    line = f'dashboard_url = "http://{host}:8765"\n'
    with pytest.raises(CommandError) as caught:
        stack_file.load(file(sync + (line if part == "sync" else f"[{part}]\n{line}")))
    assert f"{part}.dashboard_url: leads nowhere" in caught.value.cause


def test_a_file_without_a_section_has_its_defaults_and_says_who_is_notified(file):
    sync = "[sync]\nenabled = false\n"
    found = stack_file.load(file(f'{sync}[dashboard.notify]\ntargets = ["mail", "chat"]\n'))
    assert (found.deploy.keep_releases, found.targets) == (3, ("mail", "chat"))
    assert (found.packages, found.table) == ((), "")


def test_what_the_host_needs_for_a_repository_and_where_the_queue_is_are_known(file):
    repository = '[agent.repositories.site]\naddress = "https://git.example/site.git"\npackages = ["make"]\n'
    egress = '[agent.egress]\nallow = ["git.example"]\n'
    table = '[dashboard]\ntable = "us-east-1/jada-queue"\n'
    found = stack_file.load(file(f"[sync]\nenabled = false\n{egress}{repository}{table}"))
    assert "make" in found.packages
    assert found.table == "us-east-1/jada-queue"


def test_a_file_without_a_sync_is_asked_for_it(file):
    with pytest.raises(CommandError, match=r"sync\.spreadsheet_id: missing"):
        stack_file.load(file(""))


def test_a_sync_that_is_not_set_up_is_a_unit_at_rest(file):
    sync = '[sync]\nbookings_url = "http://127.0.0.1:1"\nspreadsheet_id = "x"\n'
    assert stack_file.load(file(sync)).off == ()
    assert stack_file.load(file("[sync]\nenabled = false\n")).off == ("port-sheet-sync.service",)

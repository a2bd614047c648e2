"""What a task sees of mirrors and caches, by what it has opened before."""

import os
import shutil

import pytest
from msgspec.structs import replace

from agent.record.workspace import opened as note
from agent.settings import Repository
from agent.tools.opened import CACHE, SHOWN, Opened

SITE = Repository(address="https://git.example.com/site.git")


@pytest.fixture
def host(tmp_path):
    """A host with two repositories, whose mirrors are there; `task` begins or goes on with one of its tasks."""

    class Host:
        mirrors, caches = tmp_path / "mirrors", tmp_path / "caches"

        def task(self, name, least_free=0, **settings):
            workspace = tmp_path / "workspaces" / name
            named = {"api": SITE, "site": SITE} | settings
            made = Opened(workspace, self.mirrors, self.caches, named, least_free)
            workspace.mkdir(parents=True, exist_ok=True)
            made.workspace = workspace
            return made

    for name in ("api", "site"):
        (tmp_path / "mirrors" / name).mkdir(parents=True)
    return Host()


def test_a_task_sees_only_the_mirrors_that_it_opened(host):
    task = host.task("a")
    assert (task.mounts().read, task.mounts().write, task.mounts().variables) == ({}, {}, {})
    task.open("site")
    assert task.mounts().read == {f"{SHOWN}/site": str(host.mirrors / "site")}


def test_tasks_of_one_repository_have_one_cache_and_are_told_of_it_by_variables(host):
    first, second = host.task("a"), host.task("b")
    assert first.open("site")
    assert second.open("site")
    assert first.mounts().write == second.mounts().write == {CACHE: str(host.caches / "site")}
    assert first.mounts().variables["XDG_CACHE_HOME"] == CACHE


def test_what_a_task_of_two_repositories_writes_is_in_the_cache_of_neither(host):
    both, other = host.task("a"), host.task("b")
    for name in ("site", "api"):
        both.open(name)
    other.open("api")
    other.open("site")
    assert both.mounts().write == other.mounts().write == {CACHE: str(host.caches / "api+site")}


def test_what_was_opened_is_known_for_good_whatever_the_workspace_looks_like(host):
    host.task("a").open("site")
    again = host.task("a")
    shutil.rmtree(again.workspace)
    again.workspace.mkdir()
    again = host.task("a")
    again.open("api")
    assert again.mounts().write == {CACHE: str(host.caches / "api+site")}


def test_of_a_workspace_that_came_from_elsewhere_nothing_is_known_and_it_gets_no_cache(host):
    before = host.task("a")
    (before.workspace / "file").touch()
    note(before.workspace).unlink()
    again = host.task("a")
    assert not again.open("site")
    assert (again.mounts().read, again.mounts().write) == ({SHOWN: str(host.mirrors)}, {})


def test_a_repository_may_have_no_cache_and_then_none_is_shared_with_it(host):
    task = host.task("a", api=replace(SITE, cache_mb=0))
    assert not task.open("api")
    assert not task.open("site")
    assert not task.mounts().write


@pytest.mark.parametrize(("files", "stays"), [(200, True), (300, False)])
def test_a_cache_over_its_bound_begins_anew_and_empty_files_count(host, files, stays):
    task = host.task("a", site=replace(SITE, cache_mb=1))
    task.open("site")
    for n in range(files):
        (host.caches / "site" / str(n)).touch()
    host.task("b", site=replace(SITE, cache_mb=1)).open("site")
    assert any((host.caches / "site").iterdir()) is stays


def test_nothing_is_followed_out_of_a_cache(host, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(bytes(3_000_000))
    task = host.task("a", site=replace(SITE, cache_mb=1))
    task.open("site")
    (host.caches / "site" / "link").symlink_to(tmp_path / "outside")
    task.open("site")
    assert (host.caches / "site" / "link").is_symlink()
    (host.caches / "site" / "large").write_bytes(bytes(2_000_000))
    task.open("site")
    assert not any((host.caches / "site").iterdir())
    assert (tmp_path / "outside" / "file").exists()


def test_caches_that_nothing_names_any_more_and_the_longest_unused_ones_go(host):
    for n in range(12):
        (host.caches / ("site" if n == 0 else f"n{n}")).mkdir(parents=True)
        os.utime(host.caches / ("site" if n == 0 else f"n{n}"), (n, n))
    (host.caches / "site+gone").mkdir()
    named = {f"n{n}": SITE for n in range(1, 12)}
    host.task("a", **named).open("api")
    assert {path.name for path in host.caches.iterdir()} == {"api", *(f"n{n}" for n in range(3, 12))}


def test_where_room_is_short_there_are_no_caches_and_an_open_task_has_a_fresh_one(host):
    task = host.task("a")
    task.open("site")
    (host.caches / "site" / "kept").touch()
    again = host.task("a", least_free=1 << 62)
    assert not host.caches.exists()
    assert again.mounts().write == {CACHE: str(host.caches / "site")}
    assert not any((host.caches / "site").iterdir())

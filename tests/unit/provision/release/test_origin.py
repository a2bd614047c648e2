"""Real repositories: what git says of a commit that is ahead, behind, or not there."""

import subprocess

import pytest

from provision.release import origin

pytestmark = pytest.mark.process


def _git(root, *words):
    who = ["-c", "user.name=ann", "-c", "user.email=ann@desk", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path):
    _git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    _git(tmp_path, "add", "a")
    _git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_release_knows_commit_time_and_author(tree):
    came = origin.describe(tree)
    assert (came["author"], len(came["commit"]), came["changed"]) == ("ann", 40, False)
    (tree / "a").write_text("2")
    assert origin.describe(tree)["changed"]


def test_a_tree_without_git_has_no_origin(tmp_path):
    assert origin.describe(tmp_path) is None


def test_a_checkout_that_is_older_than_what_runs_is_told_with_commit_time_and_author(tree):
    _git(tree, "commit", "-q", "--allow-empty", "-m", "two")
    running = origin.describe(tree)
    assert origin.older(tree, running) is None
    _git(tree, "checkout", "-q", "HEAD~1")
    said = origin.older(tree, running)
    assert "OLDER" in said
    assert all(running[what][:12] in said for what in ("commit", "author"))


def test_a_newer_checkout_is_not_told(tree):
    running = origin.describe(tree)
    _git(tree, "commit", "-q", "--allow-empty", "-m", "two")
    assert origin.older(tree, running) is None
    assert origin.older(tree, {}) is None


def test_a_commit_that_is_not_here_is_told(tree):
    said = origin.older(tree, {"commit": "f" * 40, "time": "2026-01-01", "author": "bob"})
    assert "does not have what runs there, commit ffffffffffff of 2026-01-01 by bob" in said

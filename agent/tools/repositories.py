"""Working copies of git repositories: a mirror that tasks share and only read, a copy in the task's workspace, and at
the end its branch, pushed.

git runs inside a sandbox only: in a repository that a tool could write to it carries out the configuration that it
finds there. Fetching the mirror has a sandbox of its own, which sees nothing of the task.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from agent.sandbox.run import Outcome, Sandbox
from agent.sandbox.waiting import Job
from agent.settings import Repository, ToolLimits
from agent.tools import network
from agent.tools.opened import CACHE
from agent.tools.result import CallFailed, Result, text
from wire.values import Value, decode

NAME = "open_repository"
_LEAST_TIME_S = 900
"""Seconds that fetching may take at least: a first clone is larger than what a call of the model does."""
_LARGEST = 4 * 1024 * 1024
"""Bytes of a bundle or a diff that is handed over; a larger one is on the server only."""
# Exit codes of the scripts below: 1, 2 and 128 are the shell's and git's own.
_NOT_OPEN, _DIRTY = 3, 4
_CACHED = f"What package managers fetch is kept in {CACHE}, for later tasks of this repository too."
# A commit is bundled at once (see the hooks): a bundle is small and travels to another host, a clone may not.
# What a killed fetch leaves would stop the next one; nothing else works on this folder meanwhile.
_FETCH = """
url=$1 branch=$2 depth=$3
if [ ! -d repository.git ]; then
    rm -rf new.git && git init -q --bare new.git && git -C new.git config gc.auto 0 && mv new.git repository.git
fi
cd repository.git
git config jada.id >/dev/null || git config jada.id "$(date +%s%N)"
find . -name "*.lock" -delete; rm -f objects/pack/tmp_*
options=(); [ "$depth" = 0 ] || options=(--depth="$depth")
git fetch -q --prune "${options[@]}" "$url" \\
    "+refs/heads/$branch:refs/heads/$branch" "+refs/heads/jada/*:refs/heads/jada/*"
git symbolic-ref HEAD "refs/heads/$branch"
"""
_COPY = """
name=$1 url=$2 branch=$3 own=$4
mirror=$(git -C "/repositories/$name/repository.git" config jada.id)
# Of another host: its objects are in a mirror that is not here, and not all of it need have come.
if [ -d "$name" ] && [ "$(git -C "$name" config jada.mirror)" != "$mirror" ]; then
    rm -rf "$name.before" && mv "$name" "$name.before"
    echo "(What was not committed before is in $name.before, as far as it came to this host.)"
fi
if [ ! -e "$name" ]; then
    rm -rf ".$name.new"
    git clone -q --shared --branch "$branch" "/repositories/$name/repository.git" ".$name.new" 2>&1
    cd ".$name.new"
    git remote set-url origin "$url"
    git config user.name jada && git config user.email jada@localhost && git config jada.mirror "$mirror"
    git checkout -q -b "$own"
    ! git rev-parse -q --verify "refs/remotes/origin/$own" >/dev/null || git reset -q --hard "origin/$own"
    # What was committed before, here or on another host, unless the branch has moved on from it.
    bundle="/workspace/.$name.bundle"
    if [ -f "$bundle" ] && git fetch -q "$bundle" HEAD && ! git merge-base --is-ancestor FETCH_HEAD HEAD
    then git reset -q --hard FETCH_HEAD; fi
    for hook in post-commit post-merge post-rewrite; do
        printf "#!/bin/sh\nexec git bundle create -q '%s' HEAD '^%s'\n" \\
            "$bundle" "refs/remotes/origin/$branch" >.git/hooks/$hook
        chmod +x .git/hooks/$hook
    done
    cd .. && mv ".$name.new" "$name"
fi
git -C "$name" log -1 --format="%h %s"
"""
_STATE = """
[ -d "$1/.git" ] || exit 3
cd "$1"
changed=$(git status --porcelain | head -20)
[ -z "$changed" ] || { printf "%s\\n" "$changed"; exit 4; }
{ git rev-list --count "refs/remotes/origin/$2..HEAD"; git rev-parse HEAD; } >&$REPORT_FD
"""
_PUSH = """
cd "$1"
git -c core.hooksPath=/dev/null push -q --no-verify "$2" "$3:refs/heads/$4"
# From elsewhere, where no configuration of the copy counts: what the server has now.
cd /tmp && git ls-remote "$2" "refs/heads/$4" >&$REPORT_FD
"""
_HAND_OVER = """
name=$1 base="refs/remotes/origin/$2" most=$4
git -C "$name" bundle create -q "/workspace/$name.bundle" HEAD "^$base"
git -C "$name" diff --no-ext-diff --no-textconv "$base...$3" >"$name.diff"
for file in "$name.bundle" "$name.diff"; do
    if [ "$(stat -c %s "$file")" -le "$most" ]; then echo "$file" >&$REPORT_FD; else rm "$file"; fi
done
"""


class _Input(Value, frozen=True, kw_only=True):
    repository: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that was pushed: what a user is told of it, the files that go with it, and its connections."""

    said: str
    files: tuple[str, ...]
    connections: tuple[dict[str, Any], ...]


def definition(names: Sequence[str]) -> dict[str, Any]:
    """Return the tool's definition for repositories of these names."""
    return {
        "name": NAME,
        "description": (
            "Get a working copy of a git repository into /workspace, on a branch of this task's own, or see where the "
            "one is that is there already. finish pushes what is committed in it."
        ),
        "input_schema": {
            "type": "object",
            "properties": {"repository": {"type": "string", "enum": [*names]}},
            "required": ["repository"],
            "additionalProperties": False,
        },
    }


def patient(limits: ToolLimits) -> ToolLimits:
    """Return a call's limits with the time that fetching takes."""
    return replace(limits, seconds=max(limits.seconds, _LEAST_TIME_S))


class Repositories:
    """The repositories of one task. `mirrors` is the folder of the mirrors; `opened` is told before anything of one
    comes into the workspace, and says whether it has a cache; `apart` makes a sandbox over another folder than the
    task's.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        settings: Mapping[str, Repository],
        mirrors: Path,
        task: str,
        opened: Callable[[str], bool],
        apart: Callable[[Path], Sandbox],
    ) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._mirrors = mirrors
        self._branch = f"jada/{task.lower()}"
        self._opened = opened
        self._apart = apart

    def open(self, given: object) -> Result:
        """Bring the mirror up to date and make the working copy, unless there is one. Raises `CallFailed`."""
        name = decode(_Input, given).repository
        if name not in self._settings:
            raise CallFailed(f"There is no repository {name}; there are {', '.join(self._settings)}.")
        wanted = self._settings[name]
        fetched = self._fetched(name, wanted)
        has_cache = self._opened(name)
        # The one that was made ahead sees nothing of this repository.
        self._sandbox.close()
        carries = {"connections": [*fetched.connections]}
        if fetched.code != 0:
            why = f"{wanted.address} could not be fetched. {_said(fetched)}"
            return Result(why, is_error=True, carries=carries)
        copied = self._git(_COPY, name, wanted.address, wanted.branch, self._branch)
        if copied.code != 0:
            return Result(f"No working copy could be made. {_said(copied)}", is_error=True, carries=carries)
        checks = "".join(f"\n  {check}" for check in wanted.checks)
        *before, last = text(copied).strip().splitlines()
        where = f"{name} is in /workspace/{name}, on branch {self._branch} of {wanted.branch}"
        cache = [_CACHED] if has_cache else []
        said = "\n".join(
            [*before, f"{where}; its last commit: {last}", *cache, "Commit there. finish pushes the branch"]
        )
        return Result(f"{said}, once these pass in it:{checks}" if checks else f"{said}.", carries=carries)

    def deliver(self, *, check: bool) -> list[Branch]:
        """Push what was committed in the working copies, once the checks pass where they are to; raises `CallFailed`
        where something is not committed, not passed or not taken.
        """
        branches = [self._delivered(name, wanted, check=check) for name, wanted in self._settings.items()]
        return [branch for branch in branches if branch]

    def _delivered(self, name: str, wanted: Repository, *, check: bool) -> Branch | None:
        state = self._git(_STATE, name, wanted.branch)
        if state.code == _NOT_OPEN:
            return None
        if state.code == _DIRTY:
            raise CallFailed(f"In {name} these are changed and not committed: commit or remove them.\n{text(state)}")
        found = re.fullmatch(r"(\d+)\n([0-9a-f]{40,64})\n", _reported(state))
        if state.code != 0 or not found:
            raise CallFailed(f"The working copy {name} can't be read. {_said(state)}")
        if found[1] == "0":
            return None
        connections = self._checked(name, wanted) if check else ()
        pushed = self._pushed(name, wanted, found[2])
        files = self._git(_HAND_OVER, name, wanted.branch, found[2], str(_LARGEST))
        if files.code != 0:
            raise CallFailed(f"The commits of {name} can't be handed over. {_said(files)}")
        passed = f" These passed before: {'; '.join(wanted.checks)}." if check and wanted.checks else ""
        said = f"{name}: branch {self._branch} was pushed with {found[1]} commits ({found[2][:12]}).{passed}"
        return Branch(said, tuple(_reported(files).split()), (*connections, *pushed.connections))

    def _checked(self, name: str, wanted: Repository) -> tuple[dict[str, Any], ...]:
        connections: list[dict[str, Any]] = []
        for check in wanted.checks:
            outcome = self._git('cd "$1" && eval "$2"', name, check, online=True)
            connections += outcome.connections
            if outcome.code != 0:
                raise CallFailed(f"A check of {name} does not pass: {check}\n{_said(outcome)}")
        # What the checks themselves changed is not what they passed on.
        if self._git(_STATE, name, wanted.branch).code == _DIRTY:
            raise CallFailed(f"The checks of {name} changed files in it: commit them, or have git ignore them.")
        return tuple(connections)

    def _pushed(self, name: str, wanted: Repository, commit: str) -> Outcome:
        """Push, and see that the server has it."""
        outcome = self._git(_PUSH, name, wanted.address, commit, self._branch, online=True)
        if outcome.code != 0:
            raise CallFailed(f"The branch {self._branch} of {name} could not be pushed. {_said(outcome)}")
        if f"{commit}\trefs/heads/{self._branch}" not in _reported(outcome):
            raise CallFailed(f"{name} was pushed, but its server shows another commit: look, and finish again.")
        return outcome

    def _fetched(self, name: str, wanted: Repository) -> Outcome:
        folder = self._mirrors / name
        folder.mkdir(mode=0o700, exist_ok=True)
        apart = self._apart(folder)
        try:
            return apart.run(_job(_FETCH, wanted.address, wanted.branch, str(wanted.depth), online=True))
        finally:
            apart.close()

    def _git(self, script: str, *words: str, online: bool = False) -> Outcome:
        return self._sandbox.run(_job(script, *words, online=online))


def _job(script: str, *words: str, online: bool) -> Job:
    # GIT_TERMINAL_PROMPT: without a token git is to fail, where it would wait for a user to type one.
    return Job(["/bin/bash", "--noprofile", "--norc", "-euc", f"export GIT_TERMINAL_PROMPT=0\n{script}", "git", *words],
               network=online)  # fmt: skip


def _reported(outcome: Outcome) -> str:
    """What a script says to us, apart from git's warnings and the words of programs that it runs."""
    return outcome.report.decode(errors="replace")


def _said(outcome: Outcome) -> str:
    how = "It was ended: its time was up, or the disk is nearly full." if outcome.code is None else ""
    return "\n".join(part for part in (how, text(outcome).strip(), network.notice(outcome.connections)) if part)

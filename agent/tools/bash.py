"""The bash tool: each call a fresh shell in a fresh sandbox, which takes over the last one's folder and exports."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from agent.sandbox.command import BROUGHT
from agent.sandbox.run import REPORT_LIMIT, Outcome, Sandbox
from agent.sandbox.waiting import Job
from agent.tools import network
from agent.tools.result import OUT_OF_MEMORY, CallFailed, Result, text
from wire.values import Value, decode

DEFINITION = {"type": "bash_20250124", "name": "bash"}

_CROWDED = "[/workspace holds more than it may: until something is removed, only small files can be written]"
# A trap, because it runs on `exit` too.
_SHELL = f"""
jada_report=$REPORT_FD; unset REPORT_FD OLDPWD
. {BROUGHT}/state 2>/dev/null
trap 'jada_code=$?; {{ export -p; printf "cd -- %q 2>/dev/null\\n" "$PWD"; }} >&$jada_report; exit $jada_code' EXIT
. {BROUGHT}/command
"""


class _Input(Value, frozen=True, kw_only=True):
    command: Annotated[str, Meta(pattern=r"^[^\0]*\Z", description="text without NUL")] = ""
    restart: bool = False


class Bash:
    """Bash over one sandbox; `state` is the file, out of the sandbox's sight, that carries folder and exports."""

    def __init__(self, sandbox: Sandbox, state: Path) -> None:
        self._sandbox = sandbox
        self._state = state

    def run(self, given: object) -> Result:
        """Run a command; one that fails is an error result with its exit code. Raises `CallFailed`, `Invalid`."""
        asked = decode(_Input, given)
        if asked.restart:
            self._state.unlink(missing_ok=True)
            return Result("The shell starts afresh: in /workspace, with nothing exported.")
        if not asked.command.strip():
            raise CallFailed("Give a command, or restart: true.")
        return self._execute(asked.command)

    def _execute(self, command: str) -> Result:
        state = self._state.read_bytes() if self._state.exists() else b""
        files = {"command": command.encode(), "state": state}
        shell = ["/bin/bash", "--noprofile", "--norc", "-c", _SHELL, "bash"]
        outcome = self._sandbox.run(Job(shell, files=files, network=True))
        notices = [network.notice(outcome.connections), _CROWDED if outcome.crowded else ""]
        more = "".join(f"\n{notice}" for notice in notices if notice)
        carries = {"connections": [*outcome.connections]} if outcome.connections else {}
        if outcome.code is None:
            why = "the disk is nearly full: remove what is not needed" if outcome.full else "the time was up"
            said = f"{text(outcome)}\n[stopped: {why}. Files written so far remain; all its processes are gone]"
            return Result(said.lstrip() + more, is_error=True, carries=carries)
        # A state that fills its limit was cut: half an export would break every later call.
        whole = 0 < len(outcome.report) < REPORT_LIMIT
        # A file that is replaced may wait for the disk: most commands change neither folder nor exports.
        if whole and outcome.report != state:
            fresh = self._state.with_name(f"{self._state.name}.new")
            fresh.write_bytes(outcome.report)
            fresh.replace(self._state)
        return Result(_with_code(text(outcome), outcome) + more, is_error=outcome.code != 0, carries=carries)


def _with_code(output: str, outcome: Outcome) -> str:
    why = f"\n{OUT_OF_MEMORY}" if outcome.memory else ""
    if outcome.code == 0:
        return f"{output}{why}" or "(no output)"
    return f"{output.rstrip()}\n[exit code {outcome.code}]{why}".lstrip()

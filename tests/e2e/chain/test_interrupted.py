"""Ctrl-C at a terminal during a deploy: the host undoes it, or goes on, as the operator answers."""

import contextlib
import os
import pty
import re
import subprocess

import pytest

from provision.release.installer import INTERRUPTED

pytestmark = [pytest.mark.root, pytest.mark.chain]
CTRL_C = b"\x03"
QUESTION = r"\[l\]eave it to that \(Enter\), \[f\]ollow it again, or \[u\]ndo it there\? "


class Terminal:
    """A `fab` command whose three streams are a terminal."""

    def __init__(self, chain, *words):
        self._ours, theirs = pty.openpty()
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        # A session of its own, whose terminal it is: Ctrl-C reaches it as a signal.
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "fab", *words], env=chain.env, cwd=chain.folder, **streams
        )
        os.close(theirs)
        self.said = ""

    def until(self, pattern):
        """Read until what was said matches; what was read is used up."""
        while not (found := re.search(pattern, self.said)):
            more = self._read()
            assert more, self.said
            self.said += more
        self.said = self.said[found.end() :]
        return found

    def press(self, keys):
        os.write(self._ours, keys)

    def end(self):
        """Read to its end; return exit code and what was said."""
        while more := self._read():
            self.said += more
        return self._process.wait(60), self.said

    def hang_up(self):
        """End what still runs: it would hold the host's lock against all that comes after a test that failed."""
        os.close(self._ours)
        self._process.wait(60)

    def _read(self):
        # A terminal that no one holds any more is an error, not an end.
        with contextlib.suppress(OSError):
            return os.read(self._ours, 65536).decode(errors="replace")
        return ""


@pytest.fixture
def changed(chain, request):
    """The settings ask for another release, and for as long a watch over it as the test says: shipped, it would be
    deployed before a slow machine has Ctrl-C. Afterwards they are as they were, and so is the host.
    """
    path = chain.folder / "jada.local.toml"
    before = text = path.read_text()
    for key, value in {"remind_hours": 23, "deployed_s": 10, "proven_s": request.param}.items():
        text, edits = re.subn(rf"(?m)^{key} = \d+$", f"{key} = {value}", text)
        assert edits == 1
    path.write_text(text)
    yield
    path.write_text(before)
    # Where nothing is to be deployed, the last word is still that of the deploy that was undone: a failure.
    if "nothing changed" not in chain.fab("deploy").stdout:
        chain.fab("attach")


@pytest.fixture
def before(chain, changed):
    return _current(chain)


@pytest.fixture
def terminal(chain, before):
    """`fab deploy` at a terminal, as far as to the first unit that it restarts."""
    terminal = Terminal(chain, "deploy")
    try:
        terminal.until("restart jada-dashboard.service")
        yield terminal
    finally:
        terminal.hang_up()


def _current(chain):
    return chain.host("readlink /opt/jada-agent/current").strip()


@pytest.mark.parametrize("changed", [300], indirect=True)
def test_ctrl_c_has_the_host_undo_what_it_began_when_the_operator_says_so(chain, before, terminal):
    terminal.until("wait until it has been healthy|restart jada-dashboard.service")
    terminal.press(CTRL_C)
    terminal.until(QUESTION)
    terminal.press(b"u\n")
    code, said = terminal.end()
    assert (code, "is back and healthy" in said) == (INTERRUPTED, True), said
    assert _current(chain) == before
    attached = chain.fab("attach", check=False)
    assert attached.returncode == 1
    assert "is back and healthy" in attached.stdout + attached.stderr


@pytest.mark.parametrize("changed", [10], indirect=True)
def test_ctrl_c_and_enter_leave_the_host_to_itself_and_attach_says_how_it_ended(chain, before, terminal):
    terminal.press(CTRL_C)
    terminal.until(QUESTION)
    terminal.press(b"\n")
    code, said = terminal.end()
    assert (code, "goes on by itself on the host" in said) == (INTERRUPTED, True), said
    assert "is proven" in chain.fab("attach").stdout
    assert _current(chain) != before

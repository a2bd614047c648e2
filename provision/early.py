"""Ask Pulumi for a stack's state while Python still imports: each takes half a second, and neither needs the other.

Only the standard library is imported here: what this module imports is what it would wait for.
"""

import atexit
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCAL = "local"
"""The stack that is meant where none is named."""
WORDS = ("stack", "export", "--stack")
"""Not `stack output`: that derives the key of a stack's secrets, of which there are none, for twice the time."""
NOT_FOR_THESE = ("help", "--help", "-h", "--list", "-l", "--version", "-V", "backup-key", "doctor")
"""With these words on the command line no stack is asked for, or nothing may be made of it yet."""


@dataclass
class Early:
    """A question that was put before anyone asked it."""

    asked: tuple[tuple[str, ...], str, Mapping[str, str]] | None = None
    process: "subprocess.Popen[str] | None" = field(default=None)

    def begin(self, argv: Sequence[str], environ: Mapping[str, str], root: Path = ROOT) -> None:
        """Ask, where a command is given that acts on a stack."""
        words = argv[1:]
        if not words or words[0].startswith("-") or set(words) & set(NOT_FOR_THESE) or lost_state(environ):
            return
        question = (*WORDS, stack_of(words, environ))
        try:
            self.process = subprocess.Popen(
                ["pulumi", *question], cwd=root, env=dict(environ), text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        except OSError:
            return  # whoever asks is told
        self.asked = question, str(root), dict(environ)
        atexit.register(self.end)

    def take(
        self, words: Sequence[str], root: Path, environ: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str] | None":
        """Return the answer to the same question, once; None where another one was put, or none."""
        if self.process is None or self.asked != (tuple(words), str(root), dict(environ)):
            return None
        process, self.process = self.process, None
        out, err = process.communicate()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def end(self) -> None:
        """End what no one has asked for."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


EARLY = Early()


def stack_of(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the stack that a command line means, as Invoke will read it."""
    for number, word in enumerate(words):
        if word == "--stack" and number + 1 < len(words):
            return words[number + 1]
        if word.startswith("--stack="):
            return word.removeprefix("--stack=")
    return environ.get("JADA_STACK") or LOCAL


def lost_state(environ: Mapping[str, str]) -> str | None:
    """Return the folder of a state in files that is not there. Asked for a stack all the same, Pulumi would make its
    home anew where a demo was removed.
    """
    url = environ.get("PULUMI_BACKEND_URL", "").partition("?")[0]
    folder = url.removeprefix("file://")
    if not url.startswith("file:///"):
        return None
    try:
        Path(folder).stat()
    except FileNotFoundError:
        return folder
    except OSError:
        return None  # Pulumi says why
    return None


def begin(argv: Sequence[str]) -> None:
    """Ask for the command line of this process."""
    EARLY.begin(argv, os.environ)

"""Run a command of the machine (ip, nft, mount, chroot) and say what failed, with its own words."""

import subprocess


class CommandFailed(RuntimeError):
    """A command ended with another code than 0; the text has the command and what it said."""


def run(*argv: str, stdin: str = "") -> str:
    """Run `argv` to its end and return its standard output. Raises `CommandFailed`."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or "nothing"
        raise CommandFailed(f"{' '.join(argv)} ended with {done.returncode} and said: {said}")
    return done.stdout


def succeeds(*argv: str) -> bool:
    """Whether `argv` ends with code 0; its output is of no interest."""
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0

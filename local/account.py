"""For whom the local cloud is made: root makes it, and what the user works with afterwards belongs to that user."""

import contextlib
import os
import pwd
import shutil
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.site import Site

ROOT = Path(__file__).parent.parent
KEPT = (
    *("ANTHROPIC_API_KEY", "XDG_CACHE_HOME", "NO_COLOR", "JADA_TYPED", "JADA_SITE", "JADA_OCTET", "DEBIAN_FRONTEND"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GOPROXY", "GOSUMDB", "PYTHONDONTWRITEBYTECODE"),
)
"""The variables that a command keeps when it goes on as root; `sudo` drops them otherwise."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, for whom root acts."""

    name: str
    uid: int
    gid: int
    home: str

    def identity(self) -> dict[str, Any]:
        """The arguments by which `subprocess` runs a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": os.getgrouplist(self.name, self.gid)}

    def give(self, *paths: Path) -> None:
        """Make this user the owner of each path; of what lies in a folder too."""
        for path in paths:
            for each in everything(path):
                os.chown(each, self.uid, self.gid, follow_symlinks=False)

    def reclaim(self, folder: Path) -> None:
        """Make this user the owner of what root left in a folder; a part that another program takes away is passed."""
        for path in everything(folder):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_uid == 0:
                    os.chown(path, self.uid, self.gid, follow_symlinks=False)


def everything(path: Path) -> Iterator[Path]:
    """Yield a path and what is below it, without following links or what another program takes away meanwhile."""
    yield path
    # By os.walk, which passes over a folder that is gone; a path's own rglob ends by it.
    for folder, folders, names in os.walk(path):
        yield from (Path(folder, name) for name in (*folders, *names))


def operator(environ: Mapping[str, str], uid: int, checkout: Path = ROOT) -> Account | None:
    """Return the user from whom `sudo` came, if the checkout is theirs; None when commands run as who they are.

    In a checkout of somebody else that user could write nothing, and root works for itself.
    """
    caller = environ.get("SUDO_UID", "")
    if uid != 0 or not caller.isdecimal() or int(caller) == 0 or checkout.stat().st_uid != int(caller):
        return None
    entry = pwd.getpwuid(int(caller))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def adopt(account: Account | None, environ: MutableMapping[str, str]) -> None:
    """Let this process and its children use the user's home, so that caches are the user's; write no bytecode there."""
    if account:
        environ["HOME"] = account.home
        # Folders of bytecode made by root could not be removed by the user who owns the checkout.
        environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
    environ.setdefault("HOME", pwd.getpwuid(os.geteuid()).pw_dir)


def as_root(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The command line that goes on as root, with the variables that it needs there."""
    kept = ",".join(name for name in KEPT if name in environ)
    return ["sudo", *([f"--preserve-env={kept}"] if kept else []), "--", *arguments]


def require_root(why: str, arguments: Sequence[str], more: Mapping[str, str]) -> None:
    """Return when this process is root's; else go on as root by `sudo`, said in a line, in place of this process.

    `more` is what the environment has only there.
    Returns also where there is no `sudo`: the checks that follow say what is missing.
    """
    if os.geteuid() == 0 or not shutil.which("sudo"):
        return
    sys.stderr.write(f"  {why}: going on by sudo\n")
    sys.stderr.flush()
    # What is imported before `adopt` would leave root's bytecode in the user's checkout.
    environ = {**os.environ, **more, "PYTHONDONTWRITEBYTECODE": "1"}
    command = as_root(arguments, environ)
    os.execvpe(command[0], command, environ)  # noqa: S606 - our own command line, no shell


def typed(environ: Mapping[str, str], instead: str = "") -> str:
    """The command as the user typed it, by make's own account; `instead` is another target, typed likewise.

    It names the site, unless that is the usual one: typed without, it would act on another.
    """
    command = environ.get("JADA_TYPED", "make demo")
    sudo = "sudo " if command.startswith("sudo ") else ""
    site = environ.get("JADA_SITE") or Site().name
    return (f"{sudo}make {instead}" if instead else command) + ("" if site == Site().name else f" JADA_SITE={site}")

"""An account of this machine, with a home and a clone in it, for which root works as `sudo` has it work.

What `sudo` is there for is done by the kernel's and the C library's own means; its part is the environment that it
leaves, and that is what a test machine without `sudo` can give as well.
"""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from local import environment
from local.hosts.image import cache

SECURE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Debian's, for `sudo`; a user's own has no less."""


class Newcomer:
    """The account and its clone."""

    def __init__(self, name):
        entry = pwd.getpwnam(name)
        self.name, self.uid, self.gid, self.home = name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir)
        self.clone = self.home / "jada"
        self.identity = {"user": self.uid, "group": self.gid, "extra_groups": []}
        self.environ = {"PATH": SECURE_PATH, "HOME": str(self.home), "USER": name, "LOGNAME": name}

    def sudo(self, *command, **options):
        """Run a command as root, in the clone, with the environment that the account's `sudo` leaves."""
        caller = {"SUDO_UID": str(self.uid), "SUDO_GID": str(self.gid), "SUDO_USER": self.name}
        env = {"PATH": SECURE_PATH, "HOME": pwd.getpwuid(0).pw_dir, "USER": "root", "LOGNAME": "root", **caller}
        return subprocess.run(command, env=env, cwd=self.clone, stdin=subprocess.DEVNULL, check=False, **options)

    def shell(self, script, **options):
        """Run a script in a shell of the account's own, in the clone."""
        # In the session of the tests a program might ask at their terminal.
        own = {**self.identity, "env": self.environ, "cwd": self.clone, "start_new_session": True}
        said = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run(["sh", "-eu", "-c", script], check=False, **own, **said, **options)

    def entered(self, site):
        """The variables of its shell once that acts on a site's demo, by README's own line."""
        done = self.shell(f'eval "$(make env JADA_SITE={site.name})"\nenv -0')
        assert (done.returncode, done.stderr) == (0, "")
        return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)

    def not_its_own(self, *folders):
        """What of the folders, and below, belongs to another."""
        paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
        return [str(path) for path in paths if path.lstat().st_uid != self.uid]


@contextlib.contextmanager
def newcomer():
    """An account that nobody else has, named after this process, and nothing of it afterwards."""
    for entry in pwd.getpwall():
        if (found := re.fullmatch(r"jadat([0-9]+)", entry.pw_name)) and not Path("/proc", found[1]).exists():
            remove(entry.pw_name)  # a killed test's
    name = f"jadat{os.getpid()}"
    made = ["useradd", "--create-home", "--shell", "/bin/sh", *_in_memory(), name]
    subprocess.run(made, check=True, capture_output=True)
    try:
        account = Newcomer(name)
        _clone(account)
        _share_cache(account)
        subprocess.run(["chown", "-Rh", f"{account.uid}:{account.gid}", str(account.home)], check=True)
        yield account
    finally:
        remove(name)


MEMORY, ROOM = Path("/dev/shm"), 4e9


def _in_memory():
    """Where there is room, a home in memory: on a disk its hundred thousand files cost ten seconds of CPU."""
    if not MEMORY.is_dir():
        return []
    held = os.statvfs(MEMORY)
    fits = held.f_bavail * held.f_frsize > ROOM and not held.f_flag & os.ST_NOEXEC
    return ["--base-dir", str(MEMORY)] if fits else []


def remove(name):
    """Take the account away, with its home."""
    try:
        home = pwd.getpwnam(name).pw_dir
    except KeyError:
        return
    subprocess.run(["userdel", "--force", name], check=True, capture_output=True)
    # Not in Python: there are a hundred thousand files.
    subprocess.run(["rm", "-rf", "--", home], check=True)


def _clone(account):
    """Clone this repository, with what is not committed here yet: that is what is tested."""
    origin = environment.ROOT.resolve()
    clone = ["git", "clone", "--quiet", "--depth", "1", f"file://{origin}", str(account.clone)]
    subprocess.run(clone, check=True, capture_output=True)
    tracked = ["git", "-C", str(origin), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(tracked, check=True, capture_output=True).stdout.decode().split("\0"):
        if (origin / name).is_file():
            (account.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin / name, account.clone / name)
        elif name:
            (account.clone / name).unlink(missing_ok=True)


def _share_cache(account):
    """Give the account the tools that root has: built or fetched once more, they would take a quarter of an hour."""
    own = account.home / ".cache" / "jada"
    own.mkdir(parents=True)
    for kind in ("engine-*", "dynamodb-*", "uv"):
        for folder in cache().glob(kind):
            _copy(folder, own / folder.name)
    # The bootstrap looks for uv in a folder named after the interpreter, which for an account may be another one.
    (line,) = (line for line in (account.clone / "local" / "bootstrap").read_text().splitlines() if "pin=$(" in line)
    pin = account.shell(f"{line}\necho $pin").stdout.strip()
    found = [*cache().glob(f"uv-{pin}"), *cache().glob("uv-*")]
    _copy(found[0], own / f"uv-{pin}")
    # Root alone reads them, and makes hosts of them. Each by a link: one in the place of their folder would end the
    # account's searches of its cache, which may not look where it leads.
    (own / "images").mkdir()
    for image in (cache() / "images").glob("debian_*"):
        (own / "images" / image.name).symlink_to(image)


def _copy(source, target):
    # Not checked: what others who use the cache have just removed is not wanted.
    subprocess.run(["cp", "-a", "-T", "--", str(source), str(target)], capture_output=True, check=False)

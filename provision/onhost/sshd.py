"""sshd's own file: tried aside, put in place, and taken back by a timer unless a new login confirms it."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from provision.onhost import durable
from provision.onhost.errors import SystemStepFailed

ETC = Path("/etc/ssh")
KEPT = ("trustedusercakeys", "casignaturealgorithms", "port", "allowgroups", "authorizedprincipalsfile")
"""What sshd's effective settings must not lose: without them no operator gets in again."""
UNDO = "jada-sshd-undo"
UNDO_S = 300.0
"""Until an unconfirmed file is taken back: longer than a deploy takes at its usual pace, and one can wait for it."""
HOME = Path("/opt/jada-agent")
BEFORE, PROGRAM, TAKEN_BACK = HOME / "sshd-before", HOME / "sshd-undo", HOME / "sshd-taken-back"
TAKE_BACK = """\
# Written by `fab deploy`: sshd's settings as they were, for no new login confirmed the ones that it put in place.
# First, and in one step: a login that comes now is no longer one that confirms.
mv {program} {taken_back} || exit 0
if [ -e {before} ]; then mv {before} {path}; else rm -f {path}; fi
systemctl reload ssh
"""


def put(path: Path, content: str, login: str, reload: Callable[[], None], undo_s: float = UNDO_S) -> None:
    """Put a drop-in in place of an older one, and `reload` sshd.

    Raises `SystemStepFailed`, and then nothing was changed, where sshd does not accept it or would no longer let the
    login user's certificates in.
    """
    before = effective(ETC)
    with tempfile.TemporaryDirectory(prefix="jada-sshd-") as folder:
        aside = copied(ETC, Path(folder))
        (aside / "sshd_config.d" / path.name).write_text(content, encoding="utf-8")
        tested = _sshd("-t", aside)
        # A drop-in without the CA's algorithm is valid to `sshd -t`, and locks everyone out.
        lost = lost_ways_in(before, effective(aside), login)
    if tested.returncode or lost:
        why = tested.stderr.strip() or ", ".join(lost)
        raise SystemStepFailed(f"{path} would lock us out, and was not put there: {why}")
    _arm(path, undo_s)
    durable.write(path, content.encode(), 0o644)
    reload()


def confirm() -> bool:
    """Keep what is in place: called over a login that was made after it. Returns whether something waited for that.

    Where no login came in time, what was in place is gone, and `taken_back` says so until it is put there anew.
    """
    try:
        # First: without its program the timer takes nothing back.
        PROGRAM.unlink()
    except FileNotFoundError:
        return False
    _stop_timer()
    BEFORE.unlink(missing_ok=True)
    return True


def taken_back() -> bool:
    """Whether sshd's settings are those of before a deploy, because no login confirmed the new ones in time."""
    return TAKEN_BACK.exists()


def lost_ways_in(before: Mapping[str, str], after: Mapping[str, str], login: str) -> list[str]:
    """Return the settings, of those by which an operator gets in, that would no longer let them in."""
    lost = [key for key in KEPT if after.get(key) != before.get(key)]
    # sshd lets in whom any line names: a list that has the login user is a way in.
    return lost + (["allowusers"] if "allowusers" in after and login not in after["allowusers"].split() else [])


def copied(etc: Path, folder: Path) -> Path:
    """Copy sshd's files to a folder, with the way to its drop-ins in it, and return that."""
    shutil.copytree(etc / "sshd_config.d", folder / "sshd_config.d")
    text = (etc / "sshd_config").read_text(encoding="utf-8")
    (folder / "sshd_config").write_text(text.replace(f"{etc}/sshd_config.d/", f"{folder}/sshd_config.d/"))
    return folder


def effective(etc: Path) -> dict[str, str]:
    """Return the settings that sshd would have in force by the files in a folder."""
    found: dict[str, str] = {}
    for line in _sshd("-T", etc).stdout.splitlines():
        key, _, value = line.partition(" ")
        # One with several values has a line for each.
        found[key] = f"{found[key]} {value}" if key in found else value
    return found


def still_offered(setting: str, settings: Mapping[str, str]) -> list[str]:
    """Return what of a list of algorithms is offered, by `name pattern,pattern`, the way sshd takes it out by `-`."""
    name, _, patterns = setting.partition(" ")
    offered = settings.get(name, "").split(",")
    return [each for each in offered if any(fnmatchcase(each, pattern) for pattern in patterns.split(","))]


def _arm(path: Path, undo_s: float) -> None:
    """Start the timer before the file is there: whatever ends us now, the way in comes back."""
    if PROGRAM.exists():
        # Not confirmed yet: what stood before that is what is gone back to.
        _stop_timer()
    elif path.exists():
        durable.write(BEFORE, path.read_bytes(), 0o600)
    HOME.mkdir(exist_ok=True)
    TAKEN_BACK.unlink(missing_ok=True)
    program = TAKE_BACK.format(before=BEFORE, path=path, program=PROGRAM, taken_back=TAKEN_BACK)
    durable.write(PROGRAM, program.encode(), 0o600)
    timer = ("--collect", f"--unit={UNDO}", f"--on-active={undo_s:g}", "--timer-property=AccuracySec=1s")
    _run("systemd-run", "-q", *timer, "/bin/sh", str(PROGRAM))


def _stop_timer() -> None:
    # None is there after a boot, or where a deploy was killed before it had one: that is as good.
    subprocess.run(["systemctl", "stop", f"{UNDO}.timer"], capture_output=True, check=False)


def _sshd(what: str, etc: Path) -> subprocess.CompletedProcess[str]:
    command = ["sshd", what, "-f", str(etc / "sshd_config")]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", "there is no sshd")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemStepFailed(f"{' '.join(command[:3])}: {(done.stderr or done.stdout).strip()}")

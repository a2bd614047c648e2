"""The tests of targets and heartbeat, as commands on the host: as the sender runs, with its user and its secret."""

from provision.system.secrets import FOLDER

TARGETS = "notify_targets"
HEARTBEAT = "heartbeat_url"
STATE = "/var/lib/jada-notify"
USER = "jada-notify"
_TESTED = """
import hashlib, json, sys
tested = json.load(open(sys.argv[1]))
for line in open(sys.argv[2]):
    name, _, url = line.partition("=")
    if hashlib.sha256(url.strip().encode()).hexdigest() in tested:
        print(name.strip())
"""


def command(release: str, *words: str) -> list[str]:
    """Return the command that sends a test by the release in the folder `release`."""
    return _run(release, TARGETS, "test", "--state", STATE, *words)


def took_test(state: str = STATE, secrets: str = FOLDER) -> list[str]:
    """Return the command that prints the targets which took their last test at the address that they have now; it
    sends nothing, and the addresses stay on the host.
    """
    return ["python3", "-I", "-c", _TESTED, f"{state}/tested.json", f"{secrets}/{TARGETS}"]


def heartbeat_command(release: str) -> list[str]:
    """Return the command that asks whether the heartbeat's service takes calls."""
    return _run(release, HEARTBEAT, "heartbeat")


def _run(release: str, secret: str, *words: str) -> list[str]:
    properties = {
        "User": USER,
        "WorkingDirectory": f"{release}/app",
        "LoadCredential": f"{secret}:{FOLDER}/{secret}",
        "UMask": "0077",
        "NoNewPrivileges": "yes",
        # Above what a few targets take at worst, each 30 s.
        "RuntimeMaxSec": "240",
    }
    return [
        # --collect: a run that failed leaves no unit behind.
        *("systemd-run", "--pipe", "--wait", "--collect", "--quiet"),
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"{release}/venv/bin/python", "-m", "notify", *words),
    ]

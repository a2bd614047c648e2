"""The test of the notification targets, as a command on the host: as the sender runs, with its user and its secret."""

from provision.system.secrets import FOLDER

TARGETS = "notify_targets"
STATE = "/var/lib/jada-notify"
USER = "jada-notify"


def command(release: str, *words: str) -> list[str]:
    """Return the command that sends a test by the release in the folder `release`."""
    properties = {
        "User": USER,
        "WorkingDirectory": f"{release}/app",
        "LoadCredential": f"{TARGETS}:{FOLDER}/{TARGETS}",
        "UMask": "0077",
        "NoNewPrivileges": "yes",
        # Above what a few targets take at worst, each 30 s.
        "RuntimeMaxSec": "240",
    }
    return [
        *("systemd-run", "--pipe", "--wait", "--collect", "--quiet"),
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"{release}/venv/bin/python", "-m", "notify", "test", "--state", STATE, *words),
    ]

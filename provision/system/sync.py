"""The sync's program for an operator, as a command on the host: with the unit's user, secrets and memory."""

from collections.abc import Sequence

from provision.system.secrets import FOLDER, SECRETS

UNIT = "port-sheet-sync.service"
STATE = "/var/lib/jada-sync"
USER = "jada-sync"


def command(release: str, held: Sequence[str], *words: str) -> list[str]:
    """Return the command that runs the sync's program by the release in the folder `release`, its settings coming on
    standard input; `held` are the secrets that the host has.
    """
    properties = [
        *(("User", USER), ("Group", USER), ("WorkingDirectory", f"{release}/app")),
        *(("LoadCredential", f"{name}:{FOLDER}/{name}") for name in held if UNIT in SECRETS[name].readers),
        *(("UMask", "0077"), ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("ProtectHome", "yes")),
        *(("ReadWritePaths", STATE), ("PrivateTmp", "yes"), ("MemoryMax", "300M"), ("OOMPolicy", "continue")),
        ("RuntimeMaxSec", "1200"),
    ]
    return [
        *("systemd-run", "--pipe", "--wait", "--collect", "--quiet", "--setenv=PYTHONDONTWRITEBYTECODE=1"),
        *(f"--property={name}={value}" for name, value in properties),
        *(f"{release}/venv/bin/python", "-m", "sync", "--settings", "-", "--state", STATE, *words),
    ]

"""The walls of a run that root starts by hand: the unit's user, secrets and memory; nothing in its folder is root's."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

SETTINGS, STATE = Path("/etc/jada/jada.toml"), Path("/var/lib/jada-sync")
SECRETS = Path("/home/jada/secrets")
READ = (*("bookings_token", "port_sheet_token.json", "dashboard_token", "notify_targets"),)
"""The secrets that a run reads, as far as they are there."""


def needed(state: Path, environ: Mapping[str, str], uid: int) -> str | None:
    """Return the user to run as: root, without the unit's secrets, in a folder of another one, is none."""
    if uid != 0 or "CREDENTIALS_DIRECTORY" in environ or not state.is_dir():
        return None
    owner = state.stat().st_uid
    return str(owner) if owner else None


def command(program: Sequence[str], app: Path, state: Path, user: str, held: Sequence[str]) -> list[str]:
    """Return the command that runs a program as the unit would; its output and input stay ours."""
    properties = [
        *(("User", user), ("WorkingDirectory", app)),
        *(("LoadCredential", f"{name}:{SECRETS / name}") for name in held),
        *(("UMask", "0077"), ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("ProtectHome", "yes")),
        *(("ReadWritePaths", state), ("PrivateTmp", "yes"), ("MemoryMax", "300M"), ("OOMPolicy", "continue")),
        ("RuntimeMaxSec", "1200"),
    ]
    return [
        # --collect: a run that failed leaves no unit behind.
        *("systemd-run", "--pipe", "--wait", "--collect", "--quiet", "--setenv=PYTHONDONTWRITEBYTECODE=1"),
        *(f"--property={name}={value}" for name, value in properties),
        *program,
    ]


def held() -> list[str]:
    """Return the secrets that are there."""
    return [name for name in READ if (SECRETS / name).is_file()]


def enter(program: Sequence[str], app: Path, state: Path, user: str) -> None:
    """Become the command."""
    words = command(program, app, state, user, held())
    os.execvp(words[0], words)  # noqa: S606 - no shell

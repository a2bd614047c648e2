"""The sync's program for an operator, as a command on the host: it takes the unit's walls by itself."""

SCRIPT = "/opt/jada-agent/scripts/port_sheet_sync.py"


def command(release: str, *words: str) -> list[str]:
    """Return the command that runs the sync's program by the release in the folder `release`, its settings coming on
    standard input.
    """
    return [f"{release}/venv/bin/python", SCRIPT, "--settings", "-", *words]

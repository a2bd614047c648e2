"""What brings a host back at boot to the last proven release: a unit and its program, outside of all releases."""

from provision.reach import programs
from provision.system.desired import FILES, ConfigFile, config_files

UNIT = "jada-recover.service"
PROGRAM = "/opt/jada-agent/recover.py"


def system_files() -> tuple[ConfigFile, ...]:
    """Return every file of the system's that a deploy brings: those of every host, and the recovery's."""
    unit = (FILES / UNIT).read_text(encoding="utf-8")
    return (
        *config_files(),
        ConfigFile(PROGRAM, programs.standalone("recover"), "program"),
        ConfigFile(f"/etc/systemd/system/{UNIT}", unit, "boot unit"),
    )

"""Have an installer stop, and undo what it began: an operator pressed Ctrl-C, and asked for that."""

import subprocess
from typing import Any

from provision.onhost import durable
from provision.onhost.runs import UNDO, UNIT, Record, is_active


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Stop {"run"}, without waiting for its end; answer {"stopped"}: not where it is at work no more."""
    record, run = Record(), asked["run"]
    if next(iter(record.runs()), None) != run or not is_active():
        return {"stopped": False}
    # First: the installer reads it when it is stopped.
    durable.write(record.run(run) / UNDO, b"", 0o600)
    subprocess.run(["systemctl", "stop", "--no-block", UNIT], capture_output=True, check=False)
    return {"stopped": True}

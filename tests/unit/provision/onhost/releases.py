"""A host's folder with whole releases in it, of which one is proven."""

import hashlib
import json

from provision.onhost import durable, whole
from provision.onhost.runs import Record


def host(home, *names):
    """A host with these releases; the first one is proven, the last one is current."""
    (home / "cron.d").mkdir(parents=True)
    record = Record(home, cron=home / "cron.d")
    for name in names:
        _place(home, name)
    record.prove(names[0])
    durable.link(home / "current", f"releases/{names[-1]}")
    return record


def _place(home, name):
    folder, venv = home / "releases" / name, home / "venvs" / "lock"
    (folder / "units").mkdir(parents=True)
    (folder / "units" / "a.service").touch()
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    (venv / "bin" / "python").touch()
    (venv / whole.MARK).write_bytes(whole.mark(venv))
    durable.link(folder / "venv", str(venv))
    (folder / "a").write_text(name)
    manifest = {"lock": "lock", "units": {}, "files": {"a": hashlib.sha256(name.encode()).hexdigest()}}
    (folder / "manifest.json").write_text(json.dumps(manifest))

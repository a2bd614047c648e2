"""No secret is anywhere but in its file: not in a log, a database, a process's arguments or environment, or a state."""

import base64
import json
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

pytestmark = [pytest.mark.root, pytest.mark.chain]

SEARCH = """
import glob, os, subprocess
needles = {needles!r}
def look(place, content):
    for name, needle in needles:
        if needle in content:
            print(name, "in", place)
def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
places = glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ")
for top in {tops!r}:
    places += [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]
for place in places:
    look(place, read(place))
look("the journal", subprocess.run(["journalctl", "--output=cat", "--no-pager"], capture_output=True).stdout)
"""
ON_THE_HOST = (
    "/var/log",
    "/var/lib/jada-agent",
    "/var/lib/jada-sync",
    "/var/lib/jada-dashboard",
    "/opt",
    "/etc",
    "/tmp",
)


def needles(chain):
    """Every secret in every form it could leak in: (name, bytes)."""
    found = []
    for path in (chain.site.state / "secrets").iterdir():
        text = path.read_text().strip()
        inner = json.loads(text) if path.suffix == ".json" else {"": text}
        values = {**inner, **inner.get("installed", {})}
        kept = {k: v for k, v in values.items() if k in ("", "refresh_token", "token", "client_secret")}
        for value in kept.values():
            forms = {value, base64.b64encode(value.encode()).decode(), value.encode().hex(), quote(value, safe="")}
            found += [(path.name, form.encode()) for form in forms | {json.dumps(value)[1:-1]}]
    return found


def found_on_host(chain):
    program = SEARCH.format(needles=needles(chain), tops=ON_THE_HOST)
    command = ["fab", "ssh", "--command", "sudo python3 -"]
    done = subprocess.run(
        command, env=chain.env, cwd=chain.folder, input=program, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_no_secret_is_anywhere_else_on_the_host(chain):
    assert found_on_host(chain) == []


def test_the_search_finds_what_is_planted(chain):
    chain.host("base64 -w0 /home/jada/secrets/bookings_token > /var/log/planted")
    chain.host('echo "$(cat /home/jada/secrets/anthropic_api_key)" >> /var/log/planted')
    try:
        found = found_on_host(chain)
    finally:
        chain.host("rm /var/log/planted")
    assert "anthropic_api_key in /var/log/planted" in found


def test_no_secret_is_in_the_operators_logs_or_pulumis_state(chain):
    kept = [p for name in ("logs", "pulumi") for p in (chain.site.state / name).rglob("*") if p.is_file()]
    assert kept
    content = b"".join(Path(path).read_bytes() for path in kept) + chain.told.encode()
    assert [name for name, needle in needles(chain) if needle in content] == []

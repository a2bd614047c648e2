"""This machine as the cloud: start its network and its doubles, stop them, and leave nothing behind."""

import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from local import dynamodb, hosts, network
from local.process import Process, wait_until
from local.serve import health
from local.site import BOOKINGS, CLAUDE, DYNAMODB, GOOGLE, LIGHTSAIL, Site, record_octet
from local.steps import StepFailed

PORTS = {"lightsail": LIGHTSAIL, "claude": CLAUDE, "google": GOOGLE, "bookings": BOOKINGS}
"""What a cloud consists of, and where each listens."""
START_LIMIT_S = 30
"""How long a double may take until it answers: on a loaded machine its imports take seconds."""


def start(site: Site, programs: Mapping[str, Sequence[str]]) -> None:
    """Bring up the network and every part that does not answer; `programs` has the module of each and its arguments.

    Raises `StepFailed` with the end of its log for one that does not come up.
    """
    site.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    record_octet(site)
    network.ensure(site)
    # Started all at once and waited for after: each needs seconds for its imports.
    for name, port in PORTS.items():
        if Process.recorded(_pid(site, name)) is None or not _answers(site, name, port):
            _start(site, name, port, programs[name])
    for name, port in PORTS.items():
        if not wait_until(partial(_settled, site, name, port), START_LIMIT_S):
            raise StepFailed(f"{name} does not answer on {site.url(port)}:\n{_tail(site, name)}")
        if not _runs(site, name):
            raise StepFailed(f"{name} ended at its start:\n{_tail(site, name)}")


def start_database(site: Site, library: Path) -> None:
    """Start DynamoDB Local, from the `library` of its files, where it does not answer; the network must be up.

    What it acknowledged is in its folder, also after it was killed. Raises `StepFailed`.
    """
    name = "dynamodb"
    if Process.recorded(_pid(site, name)) and dynamodb.answers(site.cloud_address, DYNAMODB):
        return
    folder = site.state / name
    folder.mkdir(mode=0o700, exist_ok=True)
    server = dynamodb.command(library, folder, DYNAMODB)
    _run(site, name, ["nsenter", f"--net=/run/netns/{site.edge}", "--", *server], folder, dynamodb.surroundings(folder))
    answered = wait_until(
        lambda: dynamodb.answers(site.cloud_address, DYNAMODB) or not _runs(site, name), dynamodb.STARTS_WITHIN_S
    )
    if not answered or not _runs(site, name):
        raise StepFailed(f"DynamoDB Local does not answer on {site.url(DYNAMODB)}:\n{_tail(site, name)}")


def stop(site: Site) -> None:
    """Remove all of this cloud: doubles, hosts, network and state. From whatever state it is in; twice is fine."""
    # The doubles first: a Lightsail that still runs would start its hosts again.
    for process in _parts(site):
        process.end()
    hosts.sweep(site)
    shutil.rmtree(site.state, ignore_errors=True)


def _start(site: Site, name: str, port: int, program: Sequence[str]) -> None:
    _run(site, name, command(site, name, port, program), Path(__file__).parent.parent)


def _run(site: Site, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
    """Start a part that outlives this program, in place of the one that may run."""
    if process := Process.recorded(_pid(site, name)):
        process.end()
    with _log(site, name).open("ab") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=folder, env=env,
        )  # fmt: skip
    if process := Process.find(child.pid):
        process.record(_pid(site, name))


def command(site: Site, name: str, port: int, program: Sequence[str]) -> list[str]:
    """The command line of one double, inside its site's network; `program` is its module and what it takes besides."""
    return [
        *("nsenter", f"--net=/run/netns/{site.edge}", "--", sys.executable, "-m", *program),
        *("--host", site.cloud_address, "--port", str(port), "--state", str(site.state / name)),
        *("--site", site.name, "--octet", str(site.octet)),
    ]


def _parts(site: Site) -> set[Process]:
    """The doubles: those in the edge's namespace, also one that was started and not recorded, and those recorded, since
    a namespace that was named in another space of mounts (local/reachable makes one) has no name here.
    """
    listed = subprocess.run(["ip", "netns", "pids", site.edge], capture_output=True, text=True, check=False).stdout
    found = [Process.find(int(pid)) for pid in listed.split()]
    found += [Process.recorded(path) for path in site.state.glob("*.pid")]
    return {process for process in found if process}


def _answers(site: Site, name: str, port: int) -> bool:
    """Whether this site's own double answers: another's at the same address would act on the other site."""
    connection = http.client.HTTPConnection(site.cloud_address, port, timeout=2)
    try:
        connection.request("GET", "/_local/health")
        return bool(json.loads(connection.getresponse().read()) == health(name, site))
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _settled(site: Site, name: str, port: int) -> bool:
    return _answers(site, name, port) or not _runs(site, name)


def _runs(site: Site, name: str) -> bool:
    return Process.recorded(_pid(site, name)) is not None


def _pid(site: Site, name: str) -> Path:
    return site.state / f"{name}.pid"


def _log(site: Site, name: str) -> Path:
    return site.state / f"{name}.log"


def _tail(site: Site, name: str) -> str:
    lines = _log(site, name).read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    return "\n".join(f"     │ {line}" for line in lines)

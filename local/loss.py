"""A host of several is lost while it works, for good; what it had told the queue goes on elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import urllib3

from local.process import wait_until
from local.site import CLAUDE, LIGHTSAIL, Site
from local.steps import StepFailed
from wire.client import Client
from wire.types import EventKind, Session, Task

MIDDLE = 3
"""So many answers of the model are acknowledged when the host goes; the script's second session has seven."""
LIMIT_S = 180


@dataclass(frozen=True, slots=True)
class Middle:
    """A session that is at work: on which host, and how many of its records the queue has."""

    session: str
    host: str
    records: int


def hold_answers(site: Site, match: str) -> None:
    """Let Claude's double keep silent after the middle of the session that says `match`: it can't end before."""
    _order(site, "POST", {"hold": True, "times": 1, "match": match, "turn": MIDDLE + 1})


def release_answers(site: Site) -> None:
    """Let it answer again."""
    _order(site, "DELETE")


def wait_for_middle(client: Client, task: Task, number: int) -> Middle:
    """Return once so many answers of the `number`-th session of a task are acknowledged. Raises `StepFailed`."""
    found: list[Middle] = []

    def reached() -> bool:
        for session in _at_work(client, task, number):
            events = client.events(session.id)
            if sum(event.kind is EventKind.SETTLE for event in events) >= MIDDLE:
                found.append(Middle(session.id, session.host, len(events)))
        return bool(found)

    if not wait_until(reached, LIMIT_S, 0.2):
        raise StepFailed(f"the task {task.title!r} did not come to its middle in {LIMIT_S} s: fab task.show {task.id}")
    return found[0]


def wait_for_successor(client: Client, task: Task, middle: Middle) -> tuple[str, float]:
    """Return which other host goes on with the session, and after how many seconds. Raises `StepFailed`."""
    began = time.monotonic()

    def hosts() -> list[str]:
        return [s.host for s in client.sessions(task.id) if s.id == middle.session and s.host != middle.host]

    if not wait_until(lambda: bool(hosts()), LIMIT_S, 0.2):
        raise StepFailed(f"no other host took {task.title!r} in {LIMIT_S} s: fab task.show {task.id}")
    return hosts()[0], time.monotonic() - began


def missing_notice(client: Client, middle: Middle) -> str:
    """Return what the session was told of what is missing where it goes on; empty where it was told nothing."""
    said = [event.data for event in client.events(middle.session) if event.data.get("away")]
    return " ".join(block["text"] for data in said for block in data["content"])


def cut_power(site: Site, name: str) -> None:
    """End all that a host runs, at once; it stays down. Raises `StepFailed`."""
    answer = urllib3.request("POST", f"{site.url(LIGHTSAIL)}/_local/cut/{name}", timeout=60)
    if answer.status != 200:
        raise StepFailed(f"{name} could not be cut off: {answer.data[:300]!r}")


def start(site: Site, name: str) -> None:
    """Start a host that is down, and wait until it runs. Raises `StepFailed`."""
    order_start(site, name)
    if not wait_until(lambda: runs(site, name), 120, 0.3):
        raise StepFailed(f"{name} does not run again after 120 s")


def order_start(site: Site, name: str) -> None:
    """Start a host that is down, as `aws lightsail start-instance` does."""
    _lightsail(site).start_instance(instanceName=name)


def runs(site: Site, name: str) -> bool:
    """Whether Lightsail says that a host runs."""
    return bool(_lightsail(site).get_instance_state(instanceName=name)["state"]["name"] == "running")


def _lightsail(site: Site) -> Any:
    return boto3.client(
        "lightsail",
        region_name="us-east-1",
        endpoint_url=site.url(LIGHTSAIL),
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def _at_work(client: Client, task: Task, number: int) -> Sequence[Session]:
    return [session for session in client.sessions(task.id)[number - 1 : number] if session.exit is None]


def _order(site: Site, method: str, fault: dict[str, object] | None = None) -> None:
    answer = urllib3.request(method, f"{site.url(CLAUDE)}/_local/faults", json=fault, timeout=60)
    if answer.status >= 300:
        raise StepFailed(f"Claude's double refused an order: {answer.data[:300]!r}")

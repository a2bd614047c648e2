"""`fab doctor` on the local cloud: all that a worker stands on is ok; with any of it broken, the word is withheld."""

import contextlib
import json
import sys
from pathlib import Path

import pytest

from local.process import wait_until
from provision.reach import access
from provision.target import load_target
from tests.e2e.chain.test_notify import Receiver

pytestmark = [pytest.mark.root, pytest.mark.chain]
PORT = 8712
SECRETS = "/home/jada/secrets"
NEVER_HERE = {"identity", "permissions"}
"""The local cloud asks for no identity, and says so."""


@pytest.fixture(scope="module", autouse=True)
def told(chain, tmp_path_factory):
    """A web hook and a heartbeat's service that the host is told of, and settings that name it."""
    folder, secrets = tmp_path_factory.mktemp("told"), tmp_path_factory.mktemp("secrets")
    url = f"{chain.site.cloud_address}:{PORT}"
    (secrets / "notify_targets").write_text(f"hook = json://{url}/\n")
    (secrets / "heartbeat_url").write_text(f"http://{url}/beat/1\n")
    hook = Receiver(chain.site, folder, PORT)
    try:
        chain.fab("secrets", "--from", str(secrets))
        with edited(chain, "targets = []", 'targets = ["hook"]'):
            yield folder
        chain.remove_secrets("notify_targets", "heartbeat_url")
        chain.host("systemctl restart jada-notify")
    finally:
        hook.stop()


@contextlib.contextmanager
def edited(chain, old, new):
    """The operator's settings file with another line."""
    path = chain.folder / "jada.local.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_text(text)


@contextlib.contextmanager
def on_host(chain, command, back):
    """The host with something done to it by hand."""
    chain.host(command)
    try:
        yield
    finally:
        chain.host(back)


@contextlib.contextmanager
def answering(folder, name, status):
    (folder / name).write_text(status)
    try:
        yield
    finally:
        (folder / name).write_text("200")


@contextlib.contextmanager
def environment(chain, **values):
    before = dict(chain.env)
    chain.env.update(values)
    try:
        yield
    finally:
        chain.env.clear()
        chain.env.update(before)


@contextlib.contextmanager
def api(chain):
    """Lightsail, and the name of the host's instance."""
    target = load_target("local", chain.env, chain.folder)
    yield access.client(target.inventory), target.inventory.hosts[0].name


@contextlib.contextmanager
def ports_of_others(chain):
    with api(chain) as (lightsail, name):
        states = lightsail.get_instance_port_states(instanceName=name)["portStates"]
        before = [{key: value for key, value in each.items() if key != "state"} for each in states]
        only = {"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": ["203.0.113.7/32"]}
        lightsail.put_instance_public_ports(instanceName=name, portInfos=[only])
        try:
            yield
        finally:
            lightsail.put_instance_public_ports(instanceName=name, portInfos=before)


def doctor(chain, *words):
    done = chain.fab("doctor", "--json", *words, check=False)
    found = json.loads(done.stdout)
    return done.returncode, {row["name"]: row for row in found["rows"]}, found["verdict"]


def test_a_worker_that_stands_is_ok_in_every_row_that_can_be_looked_at_here(chain):
    code, rows, worst = doctor(chain)
    assert {name for name, row in rows.items() if row["verdict"] != "ok"} == NEVER_HERE, rows
    assert {rows[name]["verdict"] for name in NEVER_HERE} == {"not checked"}
    assert (code, worst) == (2, "not checked")


WRONG_TOKEN = f"cp -p {SECRETS}/bookings_token /root/kept; echo wrong > {SECRETS}/bookings_token"
MISSING_KEY = f"mv {SECRETS}/anthropic_api_key /root/kept-key"
BROKEN = {
    "settings": lambda chain, _: edited(chain, "turns = ", "turms = "),
    "placeholders": lambda chain, _: edited(
        chain, 'bookings_url = "http://', 'bookings_url = "http://bookings.example.com/'
    ),
    "engine": lambda chain, _: environment(chain, PATH=f"{Path(sys.executable).parent}"),
    "state": lambda chain, _: environment(chain, PULUMI_BACKEND_URL="file:///nowhere"),
    "address": lambda chain, _: ports_of_others(chain),
    "login": lambda chain, _: on_host(chain, "systemctl stop ssh", "systemctl start ssh"),
    "secrets": lambda chain, _: on_host(chain, MISSING_KEY, f"mv /root/kept-key {SECRETS}/anthropic_api_key"),
    "booking": lambda chain, _: on_host(chain, WRONG_TOKEN, f"mv /root/kept {SECRETS}/bookings_token"),
    "sheet": lambda chain, _: edited(chain, 'worksheet = "Bookings"', 'worksheet = "Nowhere"'),
    "notifications": lambda _, folder: answering(folder, "answer", "500"),
    "heartbeat": lambda _, folder: answering(folder, "beat-answer", "404"),
}


TOGETHER = (
    ("settings", "state"),
    ("placeholders", "engine"),
    ("address",),
    ("login",),
    ("secrets", "booking", "sheet", "notifications", "heartbeat"),
)
"""Broken at once, where none stands on another: each run takes its seconds."""


def test_each_thing_that_can_be_broken_is():
    assert sorted(name for names in TOGETHER for name in names) == sorted(BROKEN)


@pytest.mark.usefixtures("no_cron")
@pytest.mark.parametrize("names", TOGETHER, ids=" and ".join)
def test_what_is_broken_is_a_fault_with_cause_and_cure_and_no_other_row_is(chain, told, names):
    with contextlib.ExitStack() as broken:
        for name in names:
            broken.enter_context(BROKEN[name](chain, told))
        code, rows, _ = doctor(chain)
    assert {name for name, row in rows.items() if row["verdict"] == "fault"} == {*names}, rows
    assert all(rows[name]["said"] and rows[name]["cure"] for name in names)
    assert code == 1


def test_what_stands_on_an_instance_that_is_stopped_is_not_looked_at(chain):
    chain.log_out()
    with api(chain) as (lightsail, name):
        lightsail.stop_instance(instanceName=name)
        state = lambda: lightsail.get_instance_state(instanceName=name)["state"]["name"]  # noqa: E731
        assert wait_until(lambda: state() == "stopped", 60)
        try:
            _, rows, _ = doctor(chain)
        finally:
            lightsail.start_instance(instanceName=name)
            assert wait_until(lambda: state() == "running", 60)
    assert rows["instance"]["verdict"] == "fault"
    assert {rows[name]["verdict"] for name in ("address", "login", "secrets", "sheet")} == {"not checked"}


def test_an_address_that_is_not_let_in_is_ok_only_while_a_door_is_open(chain):
    with ports_of_others(chain):
        _, rows, _ = doctor(chain, "--door")
        assert rows["address"]["verdict"] == rows["login"]["verdict"] == "ok"
        _, rows, _ = doctor(chain)
    assert rows["address"]["verdict"] == "fault"
    assert rows["login"]["verdict"] == "not checked"

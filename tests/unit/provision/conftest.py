"""A temporary key and certificate as Lightsail hands them out, and a host that a plan can be made for."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from doubles.lightsail.access import Authority, new_key, private_pem, public_line
from provision import desired
from provision.reach.access import Access
from provision.release.bundle import Bundle
from provision.release.plan import Probed
from provision.system.units import SERVICES, UNITS
from wire.secret import Secret

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def now():
    return NOW


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """Make a pair: `pair(user=…, now=…)` → (private key as PEM, certificate line)."""
    authority, key = Authority.at(tmp_path_factory.mktemp("ca") / "ca.pem"), new_key()

    def make(user="admin", now=NOW):
        return private_pem(key), authority.certificate(key, user, now.timestamp())

    return make


@pytest.fixture
def granted(pair):
    private, certificate = pair()
    algorithm, blob = public_line(new_key()).split()[:2]
    return Access("box", "192.0.2.7", "admin", Secret(private), certificate, ((algorithm, blob),))


@pytest.fixture
def bundle():
    parts = {what: f"{what}-1" for what in ("code", "environment", "settings", "unit")}
    return Bundle("release1", "lock1", {}, {unit: dict(parts) for unit in UNITS})


def as_seen(how):
    """What the looks of a plan see of a host, row by row."""
    found = {}
    for row in desired.of_any_blueprint():
        if not row.deep:
            found.setdefault(row.look, {})[row.name] = how(row)
    return found


@pytest.fixture
def seeing():
    """`seeing(probed, look, {name: value})`: the same host, of which a look sees something else."""

    def see(probed, look, seen):
        return replace(probed, found={**probed.found, look: {**probed.found[look], **seen}})

    return see


@pytest.fixture
def fresh():
    """A host right after its first boot."""
    return Probed(
        os="debian_12", python="3.11", machine="x86_64", glibc="2.36",
        found=as_seen(lambda row: [] if row.want == [] else None),
        login="admin", releases={}, venvs=(), secrets=(),
        current=None, proven=(), pending=None, deploying=False, run=None, paused={},
        units={unit: {"ActiveState": "inactive", "release": None} for unit in UNITS},
    )  # fmt: skip


@pytest.fixture
def worker(fresh, bundle):
    """A host on which `bundle` is deployed and runs."""
    running = {"ActiveState": "active", "release": bundle.id}
    return replace(
        fresh,
        found=as_seen(lambda row: row.want),
        current=bundle.id,
        proven=(bundle.id,),
        releases={bundle.id: {"lock": bundle.lock, "units": bundle.units, "damaged": []}},
        venvs=(bundle.lock,),
        units={unit: running if unit in SERVICES else fresh.units[unit] for unit in UNITS},
        secrets=("anthropic_api_key",),
    )

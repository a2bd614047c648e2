"""From what a host is and what it should be to what is to be done, as a value; nothing is touched."""

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from provision import desired
from provision.desired import Difference
from provision.release.bundle import Bundle
from provision.system.secrets import HostSecret, missing
from provision.system.units import SERVICES, UNITS
from wire.values import decode


@dataclass(frozen=True, slots=True)
class Probed:
    """What `onhost/probe.py` saw of a host; `found` has what each look saw, kind → name → what is there."""

    os: str
    python: str
    machine: str
    glibc: str
    found: dict[str, dict[str, Any]]
    login: str
    current: str | None
    proven: tuple[str, ...]
    pending: str | None
    deploying: bool
    run: str | None
    releases: dict[str, dict[str, Any]]
    venvs: tuple[str, ...]
    paused: dict[str, dict[str, Any]]
    units: dict[str, dict[str, Any]]
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """How a release proves itself: the queue answers at an address on the host within so many `seconds`, and all has
    been well for `steady_s` (*deployed*), then for `proven_s` in all (*proven*).
    """

    url: str
    seconds: int
    steady_s: int
    proven_s: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on one host. `restart` has a reason for each unit; `missing` are secrets that it lacks.

    `differing` are the rows of the table that are not as they should be; `damaged` has the releases that can't be used
    as they are, with what is wrong; `after` is the host's latest deploy, and `seen` its release, when it was looked at;
    `prove`: the release is current already, and was never watched until it was proven. Units that are `paused` are not
    started, with whom, since when and why.
    """

    release: str
    lock: str
    seen: str | None
    after: str | None
    differing: tuple[Difference, ...]
    make_venv: bool
    upload: bool
    damaged: Mapping[str, str]
    login: str
    prove: bool
    restart: Mapping[str, str]
    paused: Mapping[str, Mapping[str, Any]]
    keep: tuple[str, ...]
    missing: tuple[HostSecret, ...]
    older: str | None = None

    @property
    def switch(self) -> bool:
        """Whether another release becomes current."""
        return self.seen != self.release

    @property
    def nothing(self) -> bool:
        """Whether the host is as it should be."""
        brought = [*self.repairs, self.make_venv, self.upload, self.damaged, self.switch, self.prove, self.restart]
        return not any(brought)

    @property
    def repairs(self) -> tuple[Difference, ...]:
        """What of the table a deploy brings back."""
        return tuple(difference for difference in self.differing if difference.repair)

    @property
    def named(self) -> tuple[Difference, ...]:
        """What of the table no deploy brings back: the operator is told what helps."""
        return tuple(difference for difference in self.differing if not difference.comes_back)

    @property
    def blocking(self) -> tuple[str, ...]:
        """The missing secrets without which a service can't start."""
        return tuple(secret.name for secret in self.missing if set(secret.readers) & set(SERVICES))


def probe_request(packages: Sequence[str] = (), *, deep: bool = False) -> dict[str, Any]:
    """Return what the probe is to look at; `packages` are more than those of every host, `deep` looks take seconds."""
    return {**desired.request(packages, deep=deep), "units": list(UNITS)}


def read_probe(answer: Any) -> Probed:
    """Read the probe's answer."""
    return decode(Probed, answer, "probe")


def make(
    probed: Probed, bundle: Bundle, keep_releases: int, packages: Sequence[str] = (), *, off: Container[str] = ()
) -> Plan:
    """Compare a host with what it should be: `packages` are more than those of every host, `off` units at rest.

    Raises `CommandError` for a system that we don't know.
    """
    differing = desired.differences(desired.table(probed.os, packages), probed.found)
    by_hand = {each.row.name: desired.seen_instead(each) for each in differing if each.row.look == "unit"}
    return Plan(
        release=bundle.id,
        lock=bundle.lock,
        seen=probed.current,
        after=probed.run,
        differing=differing,
        make_venv=bundle.lock not in probed.venvs,
        upload=bundle.id not in probed.releases or bool(probed.releases[bundle.id]["damaged"]),
        damaged=_damaged(probed, bundle.lock),
        login=probed.login,
        prove=_is_unproven(probed, bundle),
        restart={
            unit: why
            for unit in SERVICES
            if unit not in probed.paused and (why := _restart_reason(probed, bundle, unit, by_hand))
        },
        paused=probed.paused,
        keep=_keep(probed, bundle, keep_releases),
        missing=missing(probed.secrets, off),
    )


def changes(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield (action, what) for each thing that a deploy will do, in its order."""
    yield from desired.changes((each for each in plan.repairs if not each.row.release), plan.login)
    yield from _tree_changes(plan)
    yield from desired.changes((each for each in plan.repairs if each.row.release), plan.login)
    if plan.switch:
        yield "switch", f"from {'release ' + plan.seen if plan.seen else 'no release'} to {plan.release}"
    if plan.prove:
        yield "prove", f"release {plan.release}, which was not watched until it was proven"
    for unit, why in plan.restart.items():
        # A unit that does not run is not restarted.
        yield ("start" if why.startswith("it is ") else "restart"), f"{unit}: {why}"


def _tree_changes(plan: Plan) -> Iterator[tuple[str, str]]:
    """What happens to releases and environments."""
    if plan.make_venv:
        yield "build", f"the Python environment {plan.lock}, offline"
    if plan.upload:
        again = f": {plan.damaged[plan.release]}" if plan.release in plan.damaged else ""
        yield "upload", f"release {plan.release}{again}"
    for release, what in plan.damaged.items():
        if release != plan.release:
            yield "remove", f"release {release}, which can't be gone back to: {what}"


def lines(plan: Plan) -> Iterator[str]:
    """Say a plan, one line for each thing that will change."""
    if plan.older:
        yield f"beware   {plan.older}"
    if plan.nothing:
        yield f"nothing to do: release {plan.release} is current and runs"
    for action, what in changes(plan):
        yield f"will {action:<9}  {what}"
    for each in plan.named:
        yield f"differs  {desired.described(each)}"
    for line in pause_lines(plan.paused):
        yield f"stays paused    {line}"


def pause_lines(paused: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say what is paused: a line for each who did it at a time."""
    words: dict[tuple[str, str, str], list[str]] = {}
    for unit, word in paused.items():
        words.setdefault((str(word["by"]), str(word["since"]), str(word["why"])), []).append(unit)
    for (by, since, why), units in words.items():
        yield f"{', '.join(units)}: paused by {by} since {since}{f' ({why})' if why else ''}"


def digest(plan: Plan) -> str:
    """Return what tells one printed plan from another: a host's history has it."""
    return hashlib.sha256("\n".join(lines(plan)).encode()).hexdigest()[:12]


def of_release(probed: Probed, name: str) -> Bundle | None:
    """Return a whole release that is on the host as something to deploy; None where it can't be used."""
    if name not in probed.releases or name in damaged_releases(probed):
        return None
    release = probed.releases[name]
    return Bundle(name, release["lock"], {}, {unit: release["units"].get(unit, {}) for unit in UNITS})


def to_go_back_to(probed: Probed) -> str | None:
    """Return the last proven release before the current one that is whole."""
    damaged = damaged_releases(probed)
    others = (name for name in probed.proven if name != probed.current and name in probed.releases)
    return next((name for name in others if name not in damaged), None)


def damaged_releases(probed: Probed) -> dict[str, str]:
    """Return the releases that can't be used as they are, with what is wrong."""
    return _damaged(probed, None)


def orders(plan: Plan, health: Health, *, wheels: Any, archive: Any) -> dict[str, Any]:
    """Return the installer's orders; `wheels` and `archive` are {"path", "sha256"} of what was uploaded, or None."""
    return {
        "id": plan.release,
        "lock": plan.lock,
        "seen": plan.seen,
        "after": plan.after,
        "digest": digest(plan),
        "system": [_order(each) for each in plan.repairs if not each.row.release],
        "repairs": [_order(each) for each in plan.repairs if each.row.release],
        "wheels": wheels,
        "archive": archive,
        "login": plan.login,
        "ours": [*desired.ours()],
        "switch": plan.switch,
        "prove": plan.prove,
        # systemd must read what its links lead to.
        "reload": any(each.repair in RELOADS for each in plan.repairs),
        "restart": list(plan.restart),
        "healthy": [unit for unit in SERVICES if unit not in plan.paused],
        "health": asdict(health),
        "keep": list(plan.keep),
    }


RELOADS = ("link", "unit")
"""Repairs after which systemd reads its units again."""


def _order(difference: Difference) -> dict[str, Any]:
    row = difference.row
    return {"repair": difference.repair, "name": row.name, "want": row.want, "give": row.give}


def _damaged(probed: Probed, lock: str | None) -> dict[str, str]:
    """The releases that can't be used as they are, with what is wrong; the environment `lock` is made anew."""
    found = {name: ", ".join(release["damaged"]) for name, release in probed.releases.items()}
    named = {name: f"damaged are {what}" for name, what in found.items() if what}
    lost = {
        name: f"its Python environment {release['lock']} is lost or was changed"
        for name, release in probed.releases.items()
        if release["lock"] not in (*probed.venvs, lock) and name not in named
    }
    return {**named, **lost}


def _restart_reason(probed: Probed, bundle: Bundle, unit: str, by_hand: Mapping[str, str]) -> str | None:
    state = probed.units[unit]
    if state.get("ActiveState") != "active":
        return f"it is {state.get('ActiveState') or 'unknown'}"
    # The release that the process runs from, not `current`: a deploy that was cut off has switched and not restarted.
    running = probed.releases.get(state["release"])
    if lost := _lost(probed, running):
        return lost
    before, after = (running or {})["units"].get(unit, {}), bundle.units[unit]
    if not after:
        return f"release {bundle.id} does not have it: it is stopped"
    changed = [what for what in after if before.get(what) != after[what]]
    if changed:
        return f"new {' and '.join(changed)}"
    return _changed_by_hand(state, by_hand.get(unit))


def _lost(probed: Probed, running: Mapping[str, Any] | None) -> str | None:
    """Why a unit can't go on with the release it runs from."""
    if running is None:
        return "it runs from no release that is still there"
    if running["damaged"]:
        return f"{', '.join(running['damaged'])} was changed by hand"
    if running["lock"] not in probed.venvs:
        return f"its Python environment {running['lock']} was lost or changed"
    return None


def _changed_by_hand(state: Mapping[str, Any], how: str | None) -> str | None:
    """Why a unit is not what its release says, though it runs from it."""
    if how:
        return f"it was changed by hand: {how}"
    stale = state.get("stale_secrets")
    return f"{', '.join(stale)} changed since it started" if stale else None


def _is_unproven(probed: Probed, bundle: Bundle) -> bool:
    """Whether the release is current, and neither proven nor being proven by the host itself right now."""
    if probed.current != bundle.id or (probed.deploying and probed.pending == bundle.id):
        return False
    # Pending without an installer: it was cut off, and the worker would wait for ever.
    return bundle.id not in probed.proven or probed.pending == bundle.id


def _keep(probed: Probed, bundle: Bundle, keep_releases: int) -> tuple[str, ...]:
    """The whole releases to keep: the last proven one, the one before this, the newest, and those that something still
    runs from.
    """
    running = {unit["release"] for unit in probed.units.values() if unit.get("release")}
    damaged = _damaged(probed, bundle.lock)
    others = [name for name in probed.releases if name != bundle.id and name not in damaged]
    # Before the newest: it is what this deploy goes back to, and the newest may be one that failed.
    proven = [name for name in probed.proven if name in others][:1]
    first = [*proven, *([probed.current] if probed.current in others and probed.current not in proven else [])]
    newest = [*first, *(name for name in others if name not in first)][: max(keep_releases - 1, len(first))]
    return tuple(dict.fromkeys([*newest, *sorted(running & set(probed.releases) - set(damaged))]))

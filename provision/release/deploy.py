"""A deploy, as its steps: probe, build, plan, upload, install. Each host by itself; safe to run again at any point."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from provision.desired import HOME
from provision.errors import CommandError
from provision.onhost import pauses
from provision.progress import Progress
from provision.reach.connection import Host
from provision.release import bundle, diffs, installer, origin, plan, wheels
from provision.release.installer import Errand
from provision.settings import Settings
from provision.system import notify

STAGING = "/opt/jada-agent/staging"


@dataclass(frozen=True, slots=True)
class Source:
    """What is deployed: the work tree, the operator's settings file in it, the section [deploy] of that, `queue`, the
    path of the queue's socket on the host, and the notification `targets`; `tested`: one must have taken a test;
    `packages` are those that the settings ask for; `table` is the queue's, if it is in one; `off`: the units that have
    nothing to do.
    """

    root: Path
    file: Path
    settings: Settings
    queue: str
    targets: tuple[str, ...] = ()
    tested: bool = False
    packages: tuple[str, ...] = ()
    table: str = ""
    off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it was made from."""

    plan: plan.Plan
    bundle: bundle.Bundle
    wheelhouse: wheels.Wheelhouse
    origin: dict[str, Any] | None = None


class Builder:
    """Builds releases of a source: once for hosts of the same platform, also for those that are prepared at once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._built: dict[wheels.Platform, tuple[bundle.Bundle, wheels.Wheelhouse]] = {}

    def build(self, platform: wheels.Platform) -> tuple[bundle.Bundle, wheels.Wheelhouse]:
        """Return the release for a platform, with the wheels of its environment."""
        with self._lock:
            if platform not in self._built:
                wheelhouse = wheels.wheelhouse_for(self._source.root, platform)
                built = bundle.collect(self._source.root, self._source.file, wheelhouse.key, wheelhouse.sbom)
                self._built[platform] = built, wheelhouse
            return self._built[platform]


def prepare(host: Host, source: Source, progress: Progress, builder: Builder | None = None) -> Prepared:
    """Look at the host, build the release for it, and compare the two."""
    with progress.step(f"{host.name}: look at the host"):
        probed = plan.read_probe(host.program("probe", plan.probe_request(source.packages)))
    if source.tested:
        require_notifications(source, probed)
    with progress.step("build the release"):
        platform = wheels.Platform(probed.python, probed.machine, probed.glibc)
        built, wheelhouse = (builder or Builder(source)).build(platform)
    made = plan.make(probed, built, source.settings.keep_releases, source.packages, off=source.off)
    running = probed.releases.get(probed.current or "", {}).get("origin")
    if made.switch and running:
        made = replace(made, older=origin.older(source.root, running))
    came_from = origin.describe(source.root) if made.upload else None
    return Prepared(made, built, wheelhouse, came_from)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a plan changes in texts, and files of code by their folder."""

    texts: tuple[diffs.Diff, ...]
    code: tuple[str, ...]


def changed_texts(host: Host, prepared: Prepared) -> Changes:
    """Ask the host for the texts that a plan changes, and compare; nothing is asked where none does."""
    made = prepared.plan
    written = {each.row.name: each.row.give for each in made.repairs if each.row.repair == "write"}
    # A program is one long line.
    shown = {path: give["content"] for path, give in written.items() if give["kind"] != "program"}
    if not shown and not made.upload:
        return Changes((), ())
    asked = {"files": [*shown], "release": made.upload and made.seen is not None, "shown": diffs.SHOWN}
    there = host.program("texts", asked)
    files = [diffs.of_text(path, there["files"][path], content) for path, content in shown.items()]
    if not asked["release"]:
        return Changes(tuple(files), ())
    release = diffs.of_release(there["digests"], there["texts"], prepared.bundle.files)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in prepared.bundle.files.items()}
    return Changes((*files, *release), tuple(diffs.counted(there["digests"], digests)))


def plan_lines(made: plan.Plan) -> Iterator[str]:
    """Say a plan, and the secrets that the host lacks."""
    yield from plan.lines(made)
    for secret in made.missing:
        yield f"lacks secret   {secret.name}: {secret.purpose}"


def lacks_secrets(name: str, made: plan.Plan) -> CommandError:
    """Say that a host can't become a worker, for want of what its services need."""
    return CommandError(f"{name} lacks secrets: {', '.join(made.blocking)}", "`fab secrets` gives them; then deploy")


def require_notifications(source: Source, probed: plan.Probed) -> None:
    """Raise `CommandError` when nothing that happens on the host would reach a user."""
    if not source.targets:
        cause, cure = "nothing that waits would be sent to anyone", "set dashboard.notify.targets"
    elif notify.TARGETS not in probed.secrets:
        cause, cure = f"the host has no {notify.TARGETS}", "give it lines of `name = URL` with `fab secrets`"
    else:
        return
    raise CommandError(f"{source.file.name}: {cause}", f'{cure}, or set deploy.notify = "none" to go without')


def deploy(
    host: Host, source: Source, progress: Progress, errand: Errand | None = None, builder: Builder | None = None
) -> str | None:
    """Bring a host to what the work tree says; return its word for that, None when nothing changed.

    Raises `CommandError`.
    """
    errand = errand or Errand()
    with installer.before_the_start(host.name):
        prepared = prepare(host, source, progress, builder)
        for line in plan_lines(prepared.plan):
            progress.say(f"    {line}")
        if prepared.plan.nothing:
            return None
        require_a_queue(host.name, prepared.plan)
        if prepared.plan.blocking:
            raise lacks_secrets(host.name, prepared.plan)
        uploaded = upload(host, prepared, progress)
    orders = plan.orders(prepared.plan, health(source), **uploaded)
    orders["called"] = host.name
    if source.tested:
        # By the new release, before it is switched to: a first deploy has no other.
        orders["notify"] = notify.command(f"{HOME}/releases/{prepared.plan.release}", "--unless-tested")
    word = install(host, orders, progress, errand)
    if not errand.detach and any(
        each.row.look == "file" and each.row.give["kind"] == "sshd" for each in prepared.plan.differing
    ):
        confirm_way_in(host.name, progress, errand)
    return word


def confirm_way_in(name: str, progress: Progress, errand: Errand) -> None:
    """Log in anew, after sshd got other settings, so that the host keeps them.

    Raises `CommandError`, also where it had taken them back by then: a slow deploy can outlast its patience.
    """
    if errand.again is None:
        return
    with progress.step(f"{name}: log in anew, which keeps sshd's new settings"), errand.again() as fresh:
        if fresh.program("confirm", {})["taken_back"]:
            cause = f"{name}: the host took sshd's new settings back: no login had confirmed them in time"
            raise CommandError(cause, "`fab deploy` puts them there again, and has little else to do then")


def health(source: Source) -> plan.Health:
    """Return how a release proves itself, by the settings."""
    settings = source.settings
    proven_s = max(settings.deployed_s, settings.proven_s)
    return plan.Health(f"unix:{source.queue}", settings.health_s, settings.deployed_s, proven_s)


def roll_back(host: Host, source: Source, to: str | None, progress: Progress, errand: Errand) -> str:
    """Make a release current that is on the host (None: the last proven one before); return the host's word for it.

    Raises `CommandError` when there is none such.
    """
    with progress.step(f"{host.name}: look at the host"):
        probed = plan.read_probe(host.program("probe", plan.probe_request()))
    name = to or plan.to_go_back_to(probed)
    release = plan.of_release(probed, name) if name else None
    if release is None:
        raise no_way_back(host.name, to, probed)
    made = plan.make(probed, release, source.settings.keep_releases, off=source.off)
    # The system is only ever brought forward.
    made = replace(made, differing=tuple(each for each in made.differing if each.row.release))
    for line in plan.lines(made):
        progress.say(f"    {line}")
    if made.nothing:
        return "nothing changed, nothing restarted"
    require_a_queue(host.name, made)
    return install(host, plan.orders(made, health(source), wheels=None, archive=None), progress, errand)


def require_a_queue(name: str, made: plan.Plan) -> None:
    """Raise `CommandError` where the queue itself is paused: nothing could say whether the release serves it."""
    if pauses.QUEUE in made.paused:
        raise CommandError(
            f"{name}: its queue is paused, so that a release could not be proven there",
            "`fab resume` first; `fab pause` without --whole lets the queue run",
        )


def no_way_back(name: str, to: str | None, probed: plan.Probed) -> CommandError:
    """Say that there is nothing to go back to, and what there is."""
    known = ", ".join(release for release in probed.releases if release != probed.current) or "none"
    cause = f"{name} has no whole release {to}" if to else f"{name} has no proven release before {probed.current}"
    return CommandError(f"{cause}; besides the current one it has {known}", "`fab releases` says how each is")


def upload(host: Host, prepared: Prepared, progress: Progress) -> dict[str, Any]:
    """Send what the host lacks to a folder of root's; return each one's path there and SHA-256, or None."""
    sent: dict[str, Any] = {"wheels": None, "archive": None}
    if prepared.plan.make_venv:
        with progress.step("fetch the wheels, unless they are in the cache"):
            wheels.fetch(prepared.wheelhouse)
        sent["wheels"] = _send(host, "wheels", wheels.archive(prepared.wheelhouse), progress)
    if prepared.plan.upload:
        sent["archive"] = _send(host, "release", bundle.archive(prepared.bundle, prepared.origin), progress)
    return sent


def install(host: Host, orders: dict[str, Any], progress: Progress, errand: Errand) -> str:
    """Start the installer on the host and follow it; return its word. Raises `CommandError` with what it said."""
    run = installer.start(host, orders, errand)
    if errand.detach:
        return f"the installer works on the host as {run}: `fab attach` follows it"
    return installer.follow(host, run, progress, errand, until_deployed=not errand.proven)


def _send(host: Host, what: str, content: bytes, progress: Progress) -> dict[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    path = f"{STAGING}/{what}-{digest[:16]}"
    with progress.step(f"upload {what}, {len(content) / 1e6:.1f} MB"):
        host.upload(path, content)
    return {"path": path, "sha256": digest}

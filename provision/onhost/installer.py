"""Carry out a plan on the host: the system forward, then the release; on failure the last proven release is put back.

Runs in the transient unit `jada-deploy.service`, so that no connection can end it and no second one starts beside it.
Its orders and its events are files in its folder. When the release has held for some seconds it is *deployed*; then the
installer watches on, and only after that it is *proven*, which is what later deploys and boots go back to.
"""

import json
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from provision.onhost import found, repairs, surroundings, switching, tree, trials, units, whole
from provision.onhost.errors import DeployError, DeployRefused, Stopped, Unhealthy
from provision.onhost.events import Events
from provision.onhost.health import Times, require_healthy
from provision.onhost.pauses import Pauses
from provision.onhost.runs import UNDO, UNIT, Record

TIMES = Times(time.monotonic, time.sleep)


def main(folder: Path) -> int:
    """Do what the folder's orders say; exit 0 when the release is proven, or nothing had to be."""
    deploy = Deploy(json.loads((folder / "orders.json").read_text(encoding="utf-8")), folder)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return deploy.carry_out()
    except Stopped as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return deploy.stop(error)


def ended(folder: Path, why: str, record: Record | None = None) -> int:
    """Finish what an installer left that ended without its last word, as systemd runs it after each one."""
    deploy = Deploy(json.loads((folder / "orders.json").read_text(encoding="utf-8")), folder, record)
    return deploy.finish(Stopped(f"the installer was ended from outside: {why}"))


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped("it was asked to stop")


class Deploy:
    """One deploy on this host."""

    def __init__(self, orders: dict[str, Any], folder: Path, record: Record | None = None) -> None:
        self.orders, self.folder = orders, folder
        self.record, self.events = record or Record(), Events(self.folder / "events")

    def carry_out(self) -> int:
        """Install, watch, and undo what fails; return the exit code. Raises `Stopped`, wherever it is then."""
        try:
            self.install()
        except Stopped:
            raise
        except (DeployError, OSError) as error:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.fail(error)
            return 1
        return self.watch()

    def stop(self, error: Stopped) -> int:
        """End as it stands: what was deployed is a later deploy's to take over, and what was said last is said."""
        if self.events.last() is not None:
            return 0
        if not self.events.says("deployed"):
            self.fail(error)
            return 1
        if not self._is_to_be_undone():
            self.events.emit(superseded=True)
            return 0
        self._go_back("reverted", str(error), self._pending())
        return 1

    def finish(self, error: Stopped) -> int:
        """Do what is left of a deploy that was killed: what it had begun to go back from is not looked at as its."""
        if self.events.last() is not None:
            return 0
        if begun := next((event["going_back"] for event in self.events.read() if "going_back" in event), None):
            self._go_back(**begun)
            units.report(UNIT)
            return 1
        if self.events.says("deployed") and not self._is_to_be_undone():
            return self.watch()
        return self.stop(error)

    def install(self) -> None:
        """Bring system and release to what was ordered, up to *deployed*, or *finished* where nothing had to be proven.

        Raises `DeployError`, OSError.
        """
        if changed := self.record.changed_since(self.orders, self.folder.name):
            raise DeployRefused(changed)
        trials.clear(self.record)
        # The way back says nothing of it.
        if called := self.orders.get("called"):
            self.record.call(called)
        self._system()
        self._release()
        release, prove = self.orders["id"], self.orders["prove"] or self._ended_its_watch()
        if not prove and not any(self.orders[what] for what in ("switch", "restart", "reload")):
            self._tidy()
            self.events.emit(finished=True)
        elif not prove and not self.orders["switch"]:
            # What is proven stays so: its worker goes on taking tasks while a link or a service is put right.
            self._require_healthy(self._activate(), self.orders["health"]["steady_s"])
            self._tidy()
            self.events.emit(finished=True)
        else:
            self._adopt_current()
            trials.try_sync(self.record, self.events, release)
            trials.try_queue(self.record, self.events, release, switching.proven_before(self.record, release))
            self.record.begin(release, self.folder.name, self.orders)
            self._require_healthy(self._activate(), self.orders["health"]["steady_s"])
            self.events.emit(deployed=release, proven_in=self._watch_s(), paused=self._paused())

    def watch(self) -> int:
        """Watch what was deployed until it is proven, or go back; a later deploy may take over, by `stop`."""
        if self.events.last() is not None:
            return 0
        try:
            require_healthy(self._look(), set(), self._watch_s(), self._limit_s(), TIMES)
        except Unhealthy as error:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self._go_back("reverted", units.explained(error), self._pending())
            # The command that deployed has ended: without a message no operator would learn of it.
            units.report(UNIT)
            return 1
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # In this order: cut off in between, it is proven all the same, and the next deploy ends what is pending.
        self.record.prove(self.orders["id"])
        self.record.end()
        self._tidy()
        self.events.emit(proven=self.orders["id"], paused=self._paused())
        return 0

    def fail(self, error: Exception) -> None:
        """Undo what was switched; the last word says why, and how the host is now."""
        # Before anything is restarted: the journal's end says why.
        said = units.explained(error)
        trials.clear(self.record)
        pending, stopped = self.record.pending(), isinstance(error, Stopped)
        if pending and pending["run"] == self.folder.name:
            self._go_back("failed", said, self._pending(), leave=stopped and not self._is_to_be_undone())
        elif pending and not stopped and self._ended_the_watch_of(pending):
            self._watch_on(said, pending)
        else:
            self.events.emit(failed=f"{said}\n{self._nothing_switched()}")

    def _go_back(self, kind: str, why: str, pending: dict[str, Any], *, leave: bool = False) -> None:
        """Undo what is pending; the last word, of that kind, says why, and how the host is now."""
        # First: whoever finds this deploy killed finds that what runs by then is no proof of its release.
        begun = {"kind": kind, "why": why, "pending": pending, "leave": leave}
        self.events.emit(note="this deploy is undone now", going_back=begun)
        self.events.emit(**{kind: f"{why}\n{switching.undo(self.record, self.events, pending, TIMES, leave=leave)}"})

    def _ended_the_watch_of(self, pending: dict[str, Any]) -> bool:
        last = Events(self.record.run(pending["run"]) / "events").last()
        return last is not None and "superseded" in last

    def _watch_on(self, said: str, pending: dict[str, Any]) -> None:
        """Watch what another deploy was watching: this one ended that, and has nothing to put in its place."""
        release, health = pending["release"], pending["health"]
        watch_s = max(0.0, float(health["proven_s"] - health["steady_s"]))
        try:
            with self.events.step(f"watch release {release} on, since its watch was ended for this deploy"):
                look = switching.looker(self.record, pending)
                require_healthy(look, set(), watch_s, health["seconds"], TIMES)
        except Unhealthy as error:
            said = f"{said}\nRelease {release}, whose watch was ended for this deploy: {units.explained(error)}"
            self._go_back("failed", said, pending)
            units.report(UNIT)
            return
        self.record.prove(release)
        self.record.end()
        self.events.emit(
            failed=f"{said}\nNothing was switched. Release {release}, whose watch was ended for this deploy, is proven."
        )

    def _ended_its_watch(self) -> bool:
        """Whether this deploy took over from one that watched the release which it leaves in place."""
        return bool((self.record.pending() or {}).get("release") == self.orders["id"])

    def _is_to_be_undone(self) -> bool:
        """Whether an operator asked for that: whoever stops an installer otherwise says nothing against a release."""
        return (self.folder / UNDO).exists()

    def _nothing_switched(self) -> str:
        release, pending = self.record.current(), self.record.pending()
        if pending and pending["release"] == release:
            return f"Nothing was switched. Release {release} is current and not proven: its worker takes no task yet."
        if release == self.orders["id"] and release in self.record.proven():
            return f"Release {release} is proven and stays current; its services are as they are now."
        return "Nothing was switched."

    def _system(self) -> None:
        ordered, recorded = self.orders["system"], found.read()
        installs = recorded and any(each["repair"] == "install" for each in ordered)
        before = self._surroundings(recorded) if installs else {}
        repairs.carry_out(ordered, self.events, self._given())
        if installs:
            # What our own packages brought is no change by hand.
            found.record(found.FOUND, found.followed(before, self._surroundings(recorded), recorded))

    def _release(self) -> None:
        orders, home = self.orders, self.record.home
        folder, venv = home / "releases" / orders["id"], home / "venvs" / orders["lock"]
        if orders["wheels"]:
            with self.events.step("make the virtual environment, offline, each wheel by its hash"):
                tree.make_venv(tree.read_verified(Path(orders["wheels"]["path"]), orders["wheels"]["sha256"]), venv)
        if orders["archive"]:
            with self.events.step(f"unpack release {orders['id']}"):
                archive = tree.read_verified(Path(orders["archive"]["path"]), orders["archive"]["sha256"])
                tree.place_release(archive, folder, venv)
        if orders["switch"] or orders["repairs"]:
            with self.events.step("make users and folders"):
                repairs.accounts(folder)
            repairs.carry_out(orders["repairs"], self.events, self._given())
        if orders.get("notify"):
            with self.events.step("send a test to the notification targets, unless one of them took it before"):
                require_notified(orders["notify"])

    def _given(self) -> repairs.Given:
        return repairs.Given(self.orders["login"], self.orders["ours"])

    def _surroundings(self, recorded: Iterable[str]) -> dict[str, Any]:
        """Look at all that is recorded, row by row."""
        ours, looks = self.orders["ours"], surroundings.SURROUNDINGS
        rows = [
            (look, row.removeprefix(f"{look} ")) for row in recorded for look in looks if row.startswith(f"{look} ")
        ]
        return {f"{look} {name}": looks[look](name, ours) for look, name in rows}

    def _adopt_current(self) -> None:
        """Count what runs as proven when it has held long enough: a release from before kept no record of it."""
        current = self.record.current()
        if current is None or current in (self.orders["id"], *self.record.proven()):
            return
        look = switching.looker(self.record, {**self._pending(), "release": current})()
        folder = self.record.home / "releases" / current
        since = units.youngest_s([unit for unit in look.runs if units.running_release(unit) == current])
        if whole.is_whole(folder) and look.wrong is None and (since or 0) >= self.orders["health"]["proven_s"]:
            self.record.prove(current)
            self.events.emit(note=f"release {current} has held for {since:.0f} s: it counts as proven")

    def _activate(self) -> set[str]:
        release = self.orders["id"]
        return switching.activate(
            self.record, self.events, release, self.orders["restart"], f"switch to release {release}"
        )

    def _require_healthy(self, fresh: set[str], seconds: float) -> None:
        with self.events.step(f"wait until it has been healthy for {seconds:g} s"):
            require_healthy(self._look(), fresh, seconds, self._limit_s(), TIMES)

    def _look(self) -> Any:
        return switching.looker(self.record, self._pending())

    def _pending(self) -> dict[str, Any]:
        return {"release": self.orders["id"], **{key: self.orders[key] for key in ("restart", "healthy", "health")}}

    def _limit_s(self) -> float:
        return float(self.orders["health"]["seconds"])

    def _watch_s(self) -> float:
        health = self.orders["health"]
        return max(0.0, float(health["proven_s"] - health["steady_s"]))

    def _tidy(self) -> None:
        """Remove what no one goes back to any more: only now, until here it might have been needed."""
        before = switching.proven_before(self.record, self.orders["id"])
        keep = [*self.orders["keep"], self.orders["id"], *([before] if before else [])]
        for gone in tree.prune(self.record.home, keep):
            self.events.emit(note=f"remove {gone}")
        tree.tidy_uploads(self.record.home / "staging", [each["path"] for each in self._uploads()], time.time())

    def _paused(self) -> list[str]:
        return sorted(Pauses(self.record.home / "paused").all())

    def _uploads(self) -> list[dict[str, str]]:
        return [self.orders[what] for what in ("wheels", "archive") if self.orders[what]]


def require_notified(command: list[str]) -> None:
    """Raise unless the command, which sends a test, reached a notification target."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip() or "nothing; is a line of it in the secret?"
        raise DeployRefused(f"no notification target took a test, and nothing was switched:\n{said}")

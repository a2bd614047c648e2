"""The work behind instances: boots, stops and deletions in the background, and the watch over what runs.

An instance's record says what should be (`up`) and what is being done (`job`); both survive a kill of this program, so
that `resume` can take up all work where it was left.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from doubles.lightsail.cloud import Cloud
from doubles.lightsail.meter import SAMPLE_S, Sample
from doubles.lightsail.records import Instance, Operation, StaticIp
from local.hosts.machine import Machine, Usage
from local.process import Process

LOG = logging.getLogger(__name__)
WATCH_S = 1
"""How soon a host that crashed is brought back."""


class Jobs:
    """Runs one job an instance at a time, some instances at once. `close` waits for jobs under way."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="job")
        self._busy: dict[str, threading.Lock] = {}
        self._begin: set[tuple[str, str]] = set()
        self._measured: dict[str, float] = {}
        self._alive: dict[str, Process] = {}
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._watch_hosts, name="watch", daemon=True)

    def start(self) -> None:
        """Take up what was left, bring back what should run, and watch from then on."""
        self.submit()
        self._watch.start()

    def close(self) -> None:
        """End the watch and wait for jobs under way; hosts go on running."""
        self._ended.set()
        if self._watch.is_alive():
            self._watch.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self) -> None:
        """Begin all jobs that instances' records ask for and that have not begun."""
        with self._cloud.store.lock:
            for instance in self._cloud.store.all(Instance):
                wanted = (instance.name, instance.job)
                if instance.job and wanted not in self._begin:
                    self._begin.add(wanted)
                    self._pool.submit(self._run, *wanted)

    def cut(self, name: str) -> None:
        """Cut an instance's power, for good: it counts as stopped until it is started. Raises `AwsError`."""
        # Under the lock, so that the watch does not take it for a crash and boots it.
        with self._cloud.store.transaction():
            instance = self._cloud.instance(name)
            self._cloud.store.put(replace(instance, up=False, job="", address=""))
            self._cloud.machine(instance).cut_power()
            self._cloud.load_firewall()

    def _run(self, name: str, job: str) -> None:
        with self._cloud.store.lock:
            busy = self._busy.setdefault(name, threading.Lock())
        with busy:
            instance = self._cloud.store.find(Instance, name)
            # A deletion may have overtaken this job, and takes its operation with it.
            problem = self._attempt(instance) if instance and instance.job == job else ""
            try:
                with self._cloud.store.transaction():
                    self._finish(name, job, problem)
            except Exception:  # the job stays in the record, and is done again
                LOG.exception("the end of %s of %s failed", job, name)
            self._begin.discard((name, job))

    def _attempt(self, instance: Instance) -> str:
        """Do the job; returns what went wrong, or nothing."""
        steps: dict[str, Callable[[Instance], None]] = {
            "create": self._boot, "start": self._boot, "reboot": self._reboot,
            "stop": lambda one: self._cloud.machine(one).power_off(),
            "delete": lambda one: self._cloud.machine(one).delete(),
        }  # fmt: skip
        try:
            steps[instance.job](instance)
        except Exception as error:  # whatever it is, the operation must end and say it
            LOG.exception("%s of %s failed", instance.job, instance.name)
            return str(error)
        return ""

    def _boot(self, instance: Instance) -> None:
        self._cloud.ensure_network()
        self._cloud.machine(instance).boot(self._cloud.identity(instance))

    def _reboot(self, instance: Instance) -> None:
        self._cloud.machine(instance).power_off()
        self._boot(instance)

    def _finish(self, name: str, job: str, problem: str) -> None:
        now, instance = self._cloud.clock(), self._cloud.store.find(Instance, name)
        if instance is None or instance.job != job:
            return
        for operation in self._cloud.store.all(Operation):
            if operation.resource == name and operation.status == "Started":
                outcome = "Failed" if problem else "Succeeded"
                self._cloud.store.put(replace(operation, status=outcome, changed=now, error=problem))
        if job == "delete" and not problem:
            self._forget(instance)
        else:
            # A host that failed to boot counts as stopped, so that the watch does not boot it again and again.
            up = instance.up and not problem
            settled = replace(instance, job="", up=up, address=instance.address if up else "")
            self._cloud.store.put(self._witnessed(settled, now) if up and not instance.host_keys else settled)
        self._cloud.load_firewall()

    def _witnessed(self, instance: Instance, now: float) -> Instance:
        return replace(instance, witnessed=now, host_keys=self._cloud.machine(instance).host_keys())

    def _forget(self, instance: Instance) -> None:
        for ip in self._cloud.store.all(StaticIp):
            if ip.attached == instance.name:
                self._cloud.store.put(replace(ip, attached=""))
        self._cloud.store.drop(instance)
        self._cloud.store.drop_samples(instance.name)

    def _watch_hosts(self) -> None:
        while not self._ended.wait(WATCH_S):
            try:
                self._notice_what_ended()
                self.measure()
                self.submit()
            except Exception:  # the watch must outlive whatever it meets
                LOG.exception("the watch over the hosts failed; it goes on")

    def _notice_what_ended(self) -> None:
        """Order the start of what crashed or rebooted; keep down what was shut down from inside."""
        with self._cloud.store.lock:
            for instance in self._cloud.store.all(Instance):
                machine = self._cloud.machine(instance)
                # A job under way changes the host by itself; only what is at rest can be down by accident.
                if instance.up and not instance.job and not self._lives(instance.name, machine) and machine.has_ended():
                    job = "stop" if machine.powered_itself_off() else "start"
                    LOG.info("the host of %s is down by itself: %s", instance.name, job)
                    self._cloud.order_job(instance, job)

    def _lives(self, name: str, machine: Machine) -> bool:
        """Whether a host's process 1 runs: the one that was found last, for a search goes through all its groups."""
        if name in self._alive and self._alive[name].alive():
            return True
        pid = machine.first_process()
        found = Process.find(pid) if pid else None
        if found:
            self._alive[name] = found
        return found is not None

    def measure(self) -> None:
        """Take a sample of each host that is due for one."""
        now = self._cloud.clock()
        for instance in self._cloud.store.all(Instance):
            is_at_rest = instance.up and not instance.job
            if is_at_rest and now - self._measured.get(instance.name, 0.0) >= SAMPLE_S:
                self._measured[instance.name] = now
                self._cloud.store.add_sample(_sample(instance.name, now, self._cloud.machine(instance).usage()))


def _sample(name: str, now: float, usage: Usage | None) -> Sample:
    """A host without a process 1 has no counters, and fails its check."""
    counted = usage or Usage(0, 0, 0, listens=False)
    return Sample(name, now, counted.cpu_ns, counted.received, counted.sent, counted.listens)

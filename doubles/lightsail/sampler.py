"""Looks at every running host once a minute, on the minute, and keeps what metrics are made of."""

import logging
import threading
from pathlib import Path

from doubles.lightsail.cloud import Cloud
from doubles.lightsail.records import Instance
from doubles.lightsail.store import Sample
from local import network
from local.hosts.machine import Machine

LOG = logging.getLogger(__name__)
EVERY_S = 60
KEPT_S = 14 * 24 * 3600


class Sampler:
    """A thread that samples until `close`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S - self._cloud.clock() % EVERY_S):
            try:
                sample_all(self._cloud, round(self._cloud.clock() / EVERY_S) * EVERY_S)
            except Exception:  # the next minute may fare better
                LOG.exception("sampling the hosts failed; it goes on")


def sample_all(cloud: Cloud, at: int) -> None:
    """Sample every host that should run now, and forget what is too old."""
    with cloud.store.lock:
        for instance in cloud.store.all(Instance):
            if instance.up and instance.job in {"", "reboot"}:
                cloud.store.sample(instance.id, sample(cloud.machine(instance), at))
        cloud.store.forget_samples(at - KEPT_S)


def sample(machine: Machine, at: int) -> Sample:
    """One host now. The host's check fails when it doesn't run, the system's when its network is gone."""
    pid = machine.first_process()
    name = network.namespace(machine.site, machine.number)
    system_failed = int(not (network.NAMESPACES / name).exists())
    if pid is None:
        return at, 0.0, 0, 0, 1, system_failed
    received, sent = traffic(Path(f"/proc/{pid}/net/dev").read_text(encoding="ascii"))
    return at, machine.cpu_s(), received, sent, 0, system_failed


def traffic(table: str) -> tuple[int, int]:
    """Bytes received and sent by eth0, from a table as /proc/net/dev has it."""
    for line in table.splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "eth0":
            fields = counters.split()
            return int(fields[0]), int(fields[8])
    return 0, 0

"""The local cloud's hosts: Debian with systemd in a container, each with its own network, disk and limits."""

from local.hosts.sweep import obstacles, sweep, worker_obstacles

__all__ = ["obstacles", "sweep", "worker_obstacles"]

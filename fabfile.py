"""`fab --list`: what an operator can do; the tasks themselves are in provision/tasks.py."""

from provision.tasks import namespace

__all__ = ["namespace"]

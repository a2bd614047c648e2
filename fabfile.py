"""`fab --list`: what an operator can do; the commands themselves are in provision/commands/."""

from provision.commands.namespace import namespace

__all__ = ["namespace"]

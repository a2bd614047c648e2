"""`fab`: what an operator can do; the commands themselves are in provision/commands/."""

from provision.commands.namespace import namespace
from provision.commands.program import install

__all__ = ["namespace"]

install()

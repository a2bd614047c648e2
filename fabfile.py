"""`fab`: what an operator can do; the commands themselves are in provision/commands/."""

import sys

from provision import early

# Before the imports below, which take as long as the answer.
early.begin(sys.argv)

from provision.commands.namespace import namespace  # noqa: E402 - see above
from provision.commands.program import install  # noqa: E402 - see above

__all__ = ["namespace"]

install()

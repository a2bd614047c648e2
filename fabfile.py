"""`fab`: what an operator can do; the commands themselves are in provision/commands/."""

import gc
import sys

from provision import early

# Before the imports below, which take as long as the answer.
early.begin(sys.argv)
# A third of their time went into looking for rings among modules, which stay; at the end once more.
gc.disable()

from provision.commands.namespace import namespace  # noqa: E402 - see above
from provision.commands.program import install  # noqa: E402 - see above

gc.freeze()
gc.enable()

__all__ = ["namespace"]

install()

"""A time limit that comes when a call has done what it is to do, on a machine of any speed."""

import time


class Hurried:
    """A clock that is an hour on as soon as the workspace holds a file `begun`: however slow the machine, a call has
    done what it does until then, and what it said was read.
    """

    def __init__(self, workspace):
        self._begun, self._seen = workspace / "begun", False

    def __call__(self):
        later, self._seen = self._seen, self._begun.exists()
        return time.monotonic() + (3600 if later else 0)

"""Which local cloud the shell acts on: its state must not be given what another folder says."""

import os
import shlex
from collections.abc import Mapping

from infra.settings import LOCAL


class OtherFolder(Exception):
    """A shell of the local cloud in another folder than the one that it was made for."""


def require_folder_of_the_shell(stack: str, folder: str | None, environment: Mapping[str, str]) -> None:
    """Raise `OtherFolder` where the shell acts on a local cloud of another folder than this program's: its hosts would
    become what this folder says, and those that it does not name would be removed.
    """
    own = environment.get("JADA_PROJECT")
    if stack != LOCAL or not own or not folder or os.path.realpath(own) == os.path.realpath(folder):
        return
    raise OtherFolder(
        f"this shell acts on the local cloud of {own}, and this is {folder}:"
        f' `cd {shlex.quote(own)}` first, or `eval "$(make env)"` here'
    )

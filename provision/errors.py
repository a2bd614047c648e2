"""How a command ends that can't go on: with a cause and a cure, and exit code 1, without a traceback."""

from invoke.exceptions import Exit

from wire.terminal import printable


class CommandError(Exit):
    """An operation that can't or must not go on. `fab` prints both lines and exits with `status`."""

    status = 1

    def __init__(self, cause: str, cure: str) -> None:
        # A cause may quote a host's journal, in several lines.
        super().__init__(printable(f"{cause}\n  → {cure}", keep_newlines=True), code=self.status)
        self.cause = cause
        self.cure = cure

    def __str__(self) -> str:
        return str(self.message)

"""The one way this part says no: a cause and a cure, then exit code 1, without a traceback."""

from invoke.exceptions import Exit


class Refusal(Exit):
    """An operation that can't or must not go on. `fab` prints both lines and exits with 1."""

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(f"{cause}\n  → {cure}", code=1)
        self.cause = cause
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.cause}\n  → {self.cure}"

"""A secret that can't be printed by accident."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret text: only `reveal()` gives it; `repr`, `str` and formatting show `[redacted]`."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """Return the secret itself, for the one call that needs it."""
        return self._text

    def __str__(self) -> str:
        return "[redacted]"

    def __repr__(self) -> str:
        return "Secret([redacted])"

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuse pickling: a secret leaves the process only by `reveal()`."""
        message = "a Secret can't be pickled"
        raise TypeError(message)

"""Secrets in what comes back from outside: each is written over at its length while the answer streams through."""

from collections.abc import Iterable

SHORTEST = 8
"""Bytes of a secret at least: a shorter one would be found in texts that know nothing of it."""


class Mask:
    """One stream of bytes, in which `secrets` become stars of the same number, also where a piece ends within one."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = tuple(dict.fromkeys(secret for secret in secrets if secret))
        self._held = b""

    def take(self, data: bytes) -> bytes:
        """Return what can be shown of it and of what was held back; the beginning of a secret at its end is held."""
        data = self._held + data
        found = [*self._found(data)]
        keep = min((at for at in range(max(len(data) - self._longest, 0), len(data)) if self._begins(data, at)),
                   default=len(data))  # fmt: skip
        # From a secret's own beginning: cut in two, its second half would be shown later.
        while cut := [first for first, last in found if first < keep < last]:
            keep = min(cut)
        self._held = data[keep:]
        return _covered(data, found)[:keep]

    def end(self) -> bytes:
        """Return what is still held: no more comes."""
        data, self._held = self._held, b""
        return _covered(data, [*self._found(data)])

    def whole(self, data: bytes) -> bytes:
        """Return a text of its own, no part of the stream."""
        return _covered(data, [*self._found(data)])

    @property
    def _longest(self) -> int:
        return max((len(secret) for secret in self._secrets), default=1) - 1

    def _begins(self, data: bytes, at: int) -> bool:
        rest = data[at:]
        return any(len(rest) < len(secret) and secret.startswith(rest) for secret in self._secrets)

    def _found(self, data: bytes) -> Iterable[tuple[int, int]]:
        for secret in self._secrets:
            at = data.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = data.find(secret, at + 1)


def _covered(data: bytes, found: Iterable[tuple[int, int]]) -> bytes:
    shown = bytearray(data)
    for first, last in found:
        shown[first:last] = b"*" * (last - first)
    return bytes(shown)

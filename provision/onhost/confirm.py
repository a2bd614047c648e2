"""The program of a login that was made anew after sshd got other settings: it keeps them."""

from typing import Any

from provision.onhost import sshd


def main(_asked: dict[str, Any]) -> dict[str, Any]:
    """Return whether settings waited for this, or were taken back before it came."""
    return {"confirmed": sshd.confirm(), "taken_back": sshd.taken_back()}

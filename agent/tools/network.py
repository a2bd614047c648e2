"""What a call's connections came to, as the model reads it behind the call's result."""

from collections.abc import Sequence
from typing import Any

_MOST = 5
"""Refusals that are told; more of them are the same mistake."""


def notice(connections: Sequence[dict[str, Any]]) -> str:
    """Return what was refused, why, and what would allow it; nothing where all went through."""
    refused = [refused for one in connections for refused in one.get("refused", ())]
    refusals = list(dict.fromkeys(_said(one) for one in refused))
    more = [f"and {len(refusals) - _MOST} more"] if len(refusals) > _MOST else []
    failed = list(dict.fromkeys(str(one["failed"]) for one in connections if one.get("failed") and "to" not in one))
    lines = [f"- {line}" for line in [*refusals[:_MOST], *more]]
    # What no entry would allow, an operator cannot grant either.
    offered = any(one.get("allow") for one in refused)
    end = "An entry is for an operator to make; ask_person when the task needs it.]" if offered else "]"
    parts = ["[the network refused:", *lines, end]
    return "\n".join([*(parts if lines else []), *(f"[the network failed: {why}]" for why in failed)])


def _said(refused: dict[str, Any]) -> str:
    allow = refused.get("allow")
    cure = f'; the entry of `allow` in [agent.egress] would be "{allow}"' if allow else ""
    return f"{refused['what']} {refused['why']}{cure}"

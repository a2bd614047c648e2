"""Which betas a request asks for: those that the vendor's package names, and those that clients in use send."""

import typing
from collections.abc import Mapping
from typing import Any

from anthropic.types import AnthropicBetaParam
from anthropic.types.beta import message_create_params as of_beta
from anthropic.types.message_create_params import MessageCreateParamsBase as Plain

from doubles.claude import threads
from doubles.claude.errors import ApiError, not_built

CLIENTS = (
    "claude-code-20250219",
    "oauth-2025-04-20",
    "fine-grained-tool-streaming-2025-05-14",
    "search-results-2025-06-09",
    "effort-2025-11-24",
    "advanced-tool-use-2025-11-20",
    "tool-examples-2025-10-29",
    "prompt-caching-scope-2026-01-05",
    "per-turn-control-2026-07-01",
)
"""What clients of today send that the package does not name."""
NAMED: frozenset[str] = frozenset(
    name for part in typing.get_args(AnthropicBetaParam) for name in typing.get_args(part) if isinstance(name, str)
)
KNOWN = NAMED | frozenset(CLIENTS)
PER_TURN = frozenset(("mid-conversation-output-config-2026-07-01", "per-turn-control-2026-07-01"))
"""Either lets a system message on the way say how much effort is wanted from there on."""
CONTEXT = "context-management-2025-06-27"
MANY_TOKENS = "output-300k-2026-03-24"
LONG_CONTEXT = "context-1m-2025-08-07"
ONLY_BETA = frozenset(of_beta.MessageCreateParamsBase.__annotations__) - frozenset(Plain.__annotations__) - {"betas"}
"""Parameters that only a beta has."""


def asked(headers: Mapping[str, str]) -> frozenset[str]:
    """Return the betas of a request's header; raises `ApiError` 400 for one that there is not, in the API's words."""
    given = [name.strip() for name in headers.get("anthropic-beta", "").split(",") if name.strip()]
    if unknown := [name for name in given if name not in KNOWN]:
        named = ", ".join(f"`{name}`" for name in unknown)
        raise ApiError(
            400,
            f"Unexpected value(s) {named} for the `anthropic-beta` header. Please consult our documentation or try "
            "again without the header.",
        )
    return frozenset(given)


def require_plain(body: Mapping[str, object], betas: frozenset[str]) -> None:
    """Refuse parameters of a beta: as the API does where its header is missing, and as not built where it is there."""
    for key in ONLY_BETA:
        if body.get(key) is None or (key == "thread" and threads.BETA in betas):
            continue
        if key == "context_management" and CONTEXT in betas and _keeps_all(body[key]):
            continue
        if not betas:
            raise ApiError(400, f"{key}: Extra inputs are not permitted")
        raise not_built(f"the parameter {key}")


def _keeps_all(management: Any) -> bool:
    """Whether no edit of a conversation would take anything out of it: that is what clients of today say by default."""
    kinds = [(edit["type"], edit.get("keep")) for edit in management.get("edits", ())]
    return all(kind == "clear_thinking_20251015" and keep in ("all", {"type": "all"}) for kind, keep in kinds)

"""A session's limits, counted from its journal: turns, dollars, and the size of the conversation. Nothing here waits,
reads or writes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from agent.record import media
from agent.record.prices import Prices, tokens
from wire.types import Event, EventKind

MARGIN = 2_000
"""Tokens that a request may have beyond the bytes we know of: what the API adds for tools, and its own counting."""
RESULTS = 16_000
"""Tokens of an answer's tool results, for which the hand-over's price is kept back."""
LEAST_RESULT = 2_048
"""Bytes of a result that are kept however long those before it were."""
BYTES_A_TOKEN = 4
"""Bytes of usual text for a token; the worst, a byte, is for prices only."""
WARNINGS = (3, 1)
"""So many turns before the hand-over the model is warned."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Turns and micro-dollars that a session has used, those of requests without a known end at their worst."""

    turns: int
    usd_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a session may use; `turns` and `hand_over_tokens` are pinned in its header, the money comes with a claim."""

    turns: int
    hand_over_tokens: int
    usd_micros: int
    max_tokens: int


def spent(events: Sequence[Event]) -> Spent:
    """Count what was reserved, settled, cut and refunded."""
    prices: dict[int, int] = {}
    for event in events:
        known = event.kind is EventKind.CUT and "usd_micros" in event.data
        if known or event.kind in (EventKind.RESERVE, EventKind.SETTLE):
            prices[event.data["turn"]] = event.data["usd_micros"]
        elif event.kind is EventKind.REFUND:
            del prices[event.data["turn"]]
    return Spent(len(prices), sum(prices.values()))


def context(events: Sequence[Event]) -> int:
    """Return the tokens of the last settled request and its answer; 0 before the first."""
    settled = [event for event in events if event.kind is EventKind.SETTLE]
    return tokens(settled[-1].data["usage"]) if settled else 0


def unsent(events: Sequence[Event]) -> int:
    """Return the bytes of results and answers since the last settled request: what the next one carries anew."""
    since = takewhile(lambda event: event.kind is not EventKind.SETTLE, reversed(events))
    texts = {EventKind.TOOL_RESULT: "content", EventKind.ANSWER: "text"}
    return sum(len(str(event.data.get(texts[event.kind], "")).encode()) for event in since if event.kind in texts)


def unsent_shown(events: Sequence[Event]) -> list[media.Block]:
    """Return the images and documents since the last settled request."""
    return media.shown(takewhile(lambda event: event.kind is not EventKind.SETTLE, reversed(events)))


def expected(events: Sequence[Event]) -> int:
    """Return the tokens that the next request will have, as things mostly are."""
    return context(events) + unsent(events) // BYTES_A_TOKEN + media.total(unsent_shown(events), "usual")


def no_room(events: Sequence[Event], one: media.Block, limits: Limits, prices: Prices, model: str) -> str:  # noqa: PLR0911 - one return for each limit
    """Say why an image or a document can't be shown now, in words for the model; nothing when it can."""
    before = media.shown(events)
    pages, image = one.get("pages", 0), "side" in one
    if image and one["bytes"] > media.MOST_IMAGE_BYTES:
        most = f"{media.MOST_IMAGE_BYTES // 1000} kB"
        return f"an image may have {most}, and it has {one['bytes'] // 1000}: make it smaller."
    if image and one["side"] > media.MOST_SIDE:
        return f"an image may have {media.MOST_SIDE} pixels on a side, and it has {one['side']}: make it smaller."
    if len(before) >= media.MOST_SHOWN:
        return f"{media.MOST_SHOWN} images and documents were shown in this session, and no more can be."
    if media.total(before, "bytes") + one["bytes"] > (most_bytes := bytes_to_show(limits)):
        return f"with it a session would show more than {most_bytes // 10**6} MB. Extract what you need with bash."
    if media.total(before, "pages") + pages > media.MOST_PAGES:
        return f"with it a session would show more than {media.MOST_PAGES} pages. Give a view_range of pages."
    room = max(limits.hand_over_tokens - expected(events), 0)
    if one["usual"] >= room:
        fits = f"; view_range shows some pages of it, now {room // media.PAGE_USUAL} at most" if pages else ""
        return f"it takes some {one['usual']} tokens, and this session has room for {room}{fits}."
    prompt = bound(events, unsent(events), unsent(events)) + one["tokens"]
    worst = price(prices, model, prompt, limits) + kept_back(prices, model, prompt, limits)
    if spent(events).usd_micros + worst > limits.usd_micros:
        return "what is left of the task's dollars is not enough for what it may cost. Extract what you need with bash."
    return ""


def bytes_to_show(limits: Limits) -> int:
    """Return the bytes that a session may show in all: what a request has room for beside the longest conversation."""
    # Twice the usual: tables and code have more bytes for a token, and JSON more for some characters.
    texts = 2 * BYTES_A_TOKEN * limits.hand_over_tokens
    return (media.REQUEST_BYTES - texts) // 4 * 3


def hand_over_due(events: Sequence[Event], limits: Limits) -> bool:
    """Whether the next turn is the one that hands over: the last there is, or the conversation has grown too long, by
    what is to be sent with it.
    """
    return spent(events).turns + 1 >= limits.turns or expected(events) >= limits.hand_over_tokens


def room(events: Sequence[Event]) -> float:
    """Return the bytes that the next result may have: the first of an answer as many as the tools allow, further ones
    what is left of what is kept back for a hand-over, and each some, so that none is without a word.
    """
    before = unsent(events)
    return max(RESULTS * BYTES_A_TOKEN - before, LEAST_RESULT) if before else math.inf


def bound(events: Sequence[Event], new_bytes: int, whole_bytes: int) -> int:
    """Return the most tokens that the next request can have: the last total, one for each new byte, and what new
    images and documents cost at most. `new_bytes` came since the last answer; `whole_bytes` is the request itself,
    where there was no answer yet; neither counts the bytes of images and documents.
    """
    before = context(events)
    return (before + new_bytes if before else whole_bytes) + media.total(unsent_shown(events), "tokens") + MARGIN


def price(prices: Prices, model: str, prompt: int, limits: Limits) -> int:
    """Return the worst price of a request, in micro-dollars."""
    return prices.worst(model, prompt, limits.max_tokens)


def kept_back(prices: Prices, model: str, prompt: int, limits: Limits) -> int:
    """Return the worst price of the hand-over that may have to follow a request of `prompt` tokens."""
    # The request's own answer and the results of its calls become part of the hand-over's prompt.
    return prices.worst(model, prompt + limits.max_tokens + RESULTS, limits.max_tokens)


def notice(events: Sequence[Event], limits: Limits) -> str:
    """Return the warning for the model, behind its last tool result, when few turns are left; mostly nothing."""
    # One less: the last turn belongs to the hand-over.
    left = limits.turns - 1 - spent(events).turns
    if left not in WARNINGS:
        return ""
    turns = "turn is" if left == 1 else "turns are"
    return (
        f"\n\n[jada: {left} more {turns} left in this session. Finish if you can; otherwise leave the workspace so "
        "that the next session can go on from it.]"
    )

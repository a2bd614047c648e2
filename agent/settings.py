"""What the operator sets for the worker: the section [agent] of jada.<stack>.toml, and what a session gets of it."""

from typing import Annotated, Any

from msgspec import Meta

from wire.addresses import QUEUE, QueueUrl, Url
from wire.values import Value, decode


class ToolLimits(Value, frozen=True, kw_only=True):
    """Bounds of one tool call: wall seconds, megabytes and processes inside the sandbox, kilobytes of output kept."""

    seconds: Annotated[int, Meta(ge=1, le=3600)] = 120
    memory_mb: Annotated[int, Meta(ge=16, le=65536)] = 256
    pids: Annotated[int, Meta(ge=8, le=4096)] = 128
    output_kb: Annotated[int, Meta(ge=1, le=1024)] = 30


class Settings(Value, frozen=True, kw_only=True):
    """The section [agent]: seconds, minutes, dollars and tokens as the names say; `prices` is an absolute path."""

    dashboard_url: QueueUrl = QUEUE
    claude_url: Url = "https://api.anthropic.com"
    model: Annotated[str, Meta(max_length=100, pattern=r"^\S+\Z", description="a model's name, without spaces")] = (
        "claude-sonnet-5-5"
    )
    poll_seconds: Annotated[int, Meta(ge=1, le=3600)] = 60
    turns: Annotated[int, Meta(ge=2, le=200)] = 30
    sessions_per_day: Annotated[int, Meta(ge=1, le=1000)] = 5
    session_minutes: Annotated[int, Meta(ge=1, le=1440)] = 120
    usd_per_day: Annotated[float, Meta(ge=0.01, le=10_000)] = 10.0
    max_tokens: Annotated[int, Meta(ge=256, le=128_000)] = 8192
    hand_over_tokens: Annotated[int, Meta(ge=10_000, le=900_000)] = 90_000
    prices: Annotated[str, Meta(pattern=r"^/.+\Z", description="an absolute path")] | None = None
    tools: ToolLimits = ToolLimits()


class SessionSettings(Value, frozen=True, kw_only=True):
    """What one session runs by, written anew at each claim: the operator's settings as they are and what a claim adds.

    `usd_micros` is the most that the session may have spent in all, over all its processes; `workspace` is the absolute
    path of the task's folder. What the journal's header pins wins over `operator` for the session's life.
    """

    operator: Settings
    usd_micros: int
    workspace: str


def read(section: Any) -> Settings:
    """Make the settings of a section's plain data; raises `Invalid`, which names the key."""
    return decode(Settings, section, "agent")

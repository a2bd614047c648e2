"""What the operator sets for the worker: the section [agent] of jada.<stack>.toml, and what a session gets of it."""

from dataclasses import dataclass
from pathlib import Path

from wire.values import rule, section

URL = r"https?://[^\s/]+(/\S*)?"
"""An address without spaces; nothing more is checked before it is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolLimits:
    """Bounds of one tool call: wall seconds, megabytes and processes inside the sandbox, kilobytes of output kept."""

    seconds: int = rule(default=120, least=1, most=3600)
    memory_mb: int = rule(default=256, least=16, most=65536)
    pids: int = rule(default=128, least=8, most=4096)
    output_kb: int = rule(default=30, least=1, most=1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The section [agent]: seconds, minutes, dollars and tokens as the names say; `prices` is an absolute path."""

    dashboard_url: str = rule(default="http://127.0.0.1:8765", pattern=URL)
    claude_url: str = rule(default="https://api.anthropic.com", pattern=URL)
    model: str = rule(default="claude-sonnet-5-5", longest=100, pattern=r"\S+")
    poll_seconds: int = rule(default=60, least=1, most=3600)
    turns: int = rule(default=30, least=2, most=200)
    sessions_per_day: int = rule(default=5, least=1, most=1000)
    session_minutes: int = rule(default=120, least=1, most=1440)
    usd_per_day: float = rule(default=10.0, least=0.01, most=10_000)
    max_tokens: int = rule(default=8192, least=256, most=128_000)
    hand_over_tokens: int = rule(default=90_000, least=10_000, most=900_000)
    prices: str | None = rule(default=None, pattern=r"/.+")
    tools: ToolLimits = ToolLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What one session runs by, written anew at each claim: the operator's settings as they are and what a claim adds.

    `usd_micros` is the most that the session may have spent in all, over all its processes; `workspace` is the absolute
    path of the task's folder. What the journal's header pins wins over `operator` for the session's life.
    """

    operator: Settings
    usd_micros: int
    workspace: str


def load(path: Path) -> Settings:
    """Read the section [agent] of a settings file; raises `Invalid`, which names the key or the file."""
    return section(Settings, path, "agent")

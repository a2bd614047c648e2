"""What the operator sets for the worker: the section [agent] of jada.<stack>.toml, and what a session gets of it."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from wire.addresses import QUEUE, QueueUrl, Url
from wire.values import Invalid, Value, decode

_HOST = r"(?=[^/:]*[a-z])([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+(?:[:/]|\Z))[a-z0-9-]{1,63}"
_PORT = r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
_PATH = r"(/[A-Za-z0-9._~@+-]+)*/?"
Place = Annotated[
    str,
    Meta(
        max_length=300,
        pattern=rf"^{_HOST}{_PORT}(?!.*/\.{{1,2}}(/|\Z)){_PATH}\Z",
        description="a host in small letters, and perhaps :port and a path, as beds.org or git.example.com:8443/team",
    ),
]
"""Where calls may go: `host[:port][/path]`."""
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}\Z", description="small letters, digits, - and _")]
Word = Annotated[str, Meta(max_length=60, pattern=r"^[A-Za-z0-9._-]+\Z", description="letters, digits, . _ and -")]
Address = Annotated[
    str,
    Meta(
        max_length=300,
        pattern=rf"^https://{_HOST}{_PORT}(?!.*/\.{{1,2}}(/|\Z))(/[A-Za-z0-9._~@+-]+)+\Z",
        description="an address like https://git.example.com/team/site.git",
    ),
]
Branch = Annotated[
    str,
    Meta(
        max_length=100,
        # git-check-ref-format(1), and no "..": in a range of commits it would be another one.
        pattern=r"^(?!.*(\.\.|\.lock(/|\Z)|//|/\Z))[A-Za-z0-9_][A-Za-z0-9._/-]*\Z",
        description="a branch's name",
    ),
]
Package = Annotated[str, Meta(max_length=60, pattern=r"^[a-z0-9][a-z0-9.+-]+\Z", description="a Debian package's name")]
Line = Annotated[str, Meta(max_length=1000, pattern=r"^[^\0\n\r]*\S[^\0\n\r]*\Z", description="one line")]
_METADATA = tuple(ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10"))


class ToolLimits(Value, frozen=True, kw_only=True):
    """Bounds of one tool call: wall seconds, megabytes and processes inside the sandbox, kilobytes of output kept; and
    megabytes of the whole workspace, beyond which calls write small files only.
    """

    seconds: Annotated[int, Meta(ge=1, le=3600)] = 120
    memory_mb: Annotated[int, Meta(ge=16, le=65536)] = 256
    pids: Annotated[int, Meta(ge=8, le=4096)] = 128
    output_kb: Annotated[int, Meta(ge=1, le=1024)] = 30
    workspace_mb: Annotated[int, Meta(ge=10, le=1_000_000)] = 4000


class Credential(Value, frozen=True, kw_only=True):
    """A header that requests to a place get outside of the sandbox: `{}` in `value` stands for the line `secret` of
    egress_secrets.
    """

    at: Place
    secret: Name
    header: Word = "Authorization"
    value: Annotated[
        str, Meta(max_length=100, pattern=r"^[ -~]*\{\}[ -~]*\Z", description="printable text with {} in it")
    ] = "Bearer {}"
    methods: tuple[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], ...] = ("GET", "HEAD")


class Egress(Value, frozen=True, kw_only=True):
    """The section [agent.egress]: where calls of tools may go. `private` are networks that count as if they were
    public; `trust` is a file of certificates that count beside the system's; `megabytes` bounds what one call moves.
    """

    allow: tuple[Place, ...] = ()
    private: tuple[str, ...] = ()
    megabytes: Annotated[int, Meta(ge=1, le=100_000)] = 500
    trust: Annotated[str, Meta(pattern=r"^/.+\Z", description="an absolute path")] | None = None
    credentials: Mapping[Name, Credential] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for text in self.private:
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise Invalid("private", f"is no list of networks like 10.20.0.0/16: {error}") from None
            # Whatever else it is: there a cloud gives its hosts their own credentials.
            if any(network.version == other.version and network.overlaps(other) for other in _METADATA):
                raise Invalid("private", f"{text} holds link-local addresses, where clouds keep credentials")


class Repository(Value, frozen=True, kw_only=True):
    """A section [agent.repositories.NAME]: a git repository that sessions may open, and push branches `jada/…` to.

    `cache_mb` bounds what its package managers keep for the next task, 0 keeps nothing.
    `secret` is the line of egress_secrets with its token, `user` the name that goes with it; `depth` keeps so many
    commits of history, 0 all; `checks` are run before a task is called done; the host gets the `packages`.
    """

    address: Address
    branch: Branch = "main"
    secret: Name | None = None
    user: Word = "x-access-token"
    depth: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    checks: tuple[Line, ...] = ()
    packages: tuple[Package, ...] = ()
    cache_mb: Annotated[int, Meta(ge=0, le=100_000)] = 500

    @property
    def place(self) -> str:
        """Where it is, as a place of the network."""
        return self.address.removeprefix("https://")


Folder = Annotated[
    str,
    Meta(
        pattern=r"^(/.+|[A-Za-z0-9_-]{1,64})\Z",
        description="an absolute path on the host, or the name of a folder beside this file: letters, digits, - and _",
    ),
]


class Settings(Value, frozen=True, kw_only=True):
    """The section [agent]: seconds, minutes, dollars and tokens as the names say; `prices` is an absolute path;
    `instructions` are the company's own words to the model; `effort` and `thinking` are the API's (a number: so many
    tokens of thinking), None leaves them to the model. The host gets the `tool_packages`; `reference` is a folder that
    tools can read: there by an absolute path, or by a name beside the settings file, which a deploy takes along.
    """

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
    instructions: Annotated[str, Meta(max_length=2000)] = ""
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    thinking: Literal["adaptive", "disabled"] | Annotated[int, Meta(ge=1024, le=128_000)] | None = None
    tools: ToolLimits = ToolLimits()
    tool_packages: tuple[Package, ...] = ()
    reference: Folder | None = None
    egress: Egress | None = None
    repositories: Mapping[Name, Repository] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.thinking, int) and self.thinking >= self.max_tokens:
            raise Invalid("thinking", f"must be less than max_tokens ({self.max_tokens}): thinking is a part of it")

    @property
    def packages(self) -> tuple[str, ...]:
        """The Debian packages that tools need on the host for what is set here."""
        named = [name for each in self.repositories.values() for name in each.packages]
        curl = ("curl",) if self.egress or self.repositories else ()
        return tuple(dict.fromkeys((*self.tool_packages, *curl, *(("git",) if self.repositories else ()), *named)))


class SessionSettings(Value, frozen=True, kw_only=True):
    """What one session runs by, written anew at each claim: the operator's settings as they are and what a claim adds.

    `usd_micros` is the most that the session may have spent in all, over all its processes; `workspace` is the absolute
    path of the task's folder, `mirrors` and `caches` those of the folders with the repositories' mirrors and with what
    their package managers fetched. What the journal's header pins wins over `operator` for the session's life.
    """

    operator: Settings
    usd_micros: int
    workspace: str
    mirrors: str = ""
    caches: str = ""
    away: tuple[str, ...] = ()


def read(section: Any) -> Settings:
    """Make the settings of a section's plain data; raises `Invalid`, which names the key."""
    return decode(Settings, section, "agent")

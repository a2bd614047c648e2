"""The section [notify] of jada.<stack>.toml, and the secret notify_targets: `wire` only, so that both can be checked on
the operator's machine before they travel.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from wire.addresses import QUEUE, QueueUrl
from wire.secret import Secret
from wire.values import Invalid, Value, decode

TARGETS = "notify_targets"
"""The secret's name."""
_LINE = re.compile(r"([a-z0-9][a-z0-9-]{0,39})\s*=\s*([a-z][a-z0-9+.-]*)://(\S+)")


class Settings(Value, frozen=True, kw_only=True):
    """The section [notify]: where the outbox is, and seconds between two looks into it."""

    dashboard_url: QueueUrl = QUEUE
    poll_seconds: Annotated[int, Meta(ge=1, le=30)] = 5


def read(section: Any) -> Settings:
    """Make the settings of a section's plain data; raises `Invalid`, which names the key."""
    return decode(Settings, section, "notify")


def is_whole(dashboard: Mapping[str, Any]) -> bool:
    """Whether texts may leave the host: a setting of [dashboard], which counts for what is sent past it too."""
    return bool(dashboard.get("notify", {}).get("text", "whole") == "whole")


def read_targets(text: str) -> Mapping[str, Secret]:
    """Read the secret, lines of `name = URL`. Raises `Invalid` that names a line by its number: it holds passwords."""
    found: dict[str, Secret] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{TARGETS}, line {number}"
        match = _LINE.fullmatch(line.strip())
        if not match:
            raise Invalid(where, "must be `name = URL`, with a name of small letters, digits and dashes")
        name, scheme, rest = match.groups()
        if scheme == "mailto":
            raise Invalid(where, "sends mail and its password unencrypted; write mailtos:// in place of mailto://")
        if name in found:
            raise Invalid(where, f"names {name} a second time")
        found[name] = Secret(f"{scheme}://{rest}")
    return found

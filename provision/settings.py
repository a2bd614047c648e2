"""What the operator sets for deploys: the section [deploy]; and the check of every section before anything travels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from provision.errors import CommandError
from wire.settings_file import needs_token, section, sections
from wire.values import Invalid, Value

SECTIONS = ("agent", "sync", "dashboard", "notify", "backup", "deploy")


class Settings(Value, frozen=True, kw_only=True):
    """The section [deploy]: releases kept on a host, seconds in which a switched one must be healthy, seconds to
    connect, seconds for which it must have held to count as deployed, and then as proven, whether a deploy needs a
    notification target that took a test (the stack `local` never does), and the service that says as which address this
    machine is seen, for `--door`.
    """

    # At least two: a release that fails goes back to the one before.
    keep_releases: Annotated[int, Meta(ge=2, le=20)] = 3
    health_s: Annotated[int, Meta(ge=10, le=900)] = 120
    connect_s: Annotated[int, Meta(ge=1, le=120)] = 15
    deployed_s: Annotated[int, Meta(ge=1, le=600)] = 10
    proven_s: Annotated[int, Meta(ge=1, le=3600)] = 75
    notify: Literal["required", "none"] = "required"
    # By https, because what it answers is let in through the firewall.
    address_service: Annotated[
        str, Meta(pattern=r"^(https://[^\s/]+(/\S*)?)?\Z", description="an https address, or empty")
    ] = ""


def load(path: Path) -> Settings:
    """Read the section [deploy]; raises `Invalid` with the key's name."""
    return section(Settings, path, "deploy")


@dataclass(frozen=True, slots=True)
class StackSettings:
    """A settings file whose sections were all read: ours, `queue`, the path of the queue's socket on the host, and
    `targets`, the names of those who are notified.
    """

    deploy: Settings
    queue: str
    targets: tuple[str, ...]


def load_all(path: Path) -> StackSettings:
    """Read all sections, each through the part it belongs to, and require a price of the model.

    Raises `CommandError` that names the key.
    """
    if not path.is_file():
        raise CommandError(
            f"there is no {path.name}: each stack has a settings file", "copy jada.prod.toml, or name another stack"
        )
    # Read here, not at the top: a part's settings are needed only for this check.
    from agent import settings as agent  # noqa: PLC0415 - see above
    from agent.record import price_file  # noqa: PLC0415 - see above
    from backup import settings as backup  # noqa: PLC0415 - see above
    from dashboard import settings as dashboard  # noqa: PLC0415 - see above
    from notify import settings as notify  # noqa: PLC0415 - see above
    from sync import settings as sync  # noqa: PLC0415 - see above

    try:
        _require_known(sections(path))
        worker = agent.load(path)
        if worker.prices is None:
            # Only the host has a price file of the operator's own.
            price_file.load(None, worker.model)
        backup.load(path)
        page = dashboard.load(path)
        urls = {"agent": worker.dashboard_url, "sync": sync.load(path).dashboard_url}
        _require_reachable({**urls, "notify": notify.load(path).dashboard_url}, page.socket)
        return StackSettings(load(path), page.socket, page.notify.targets)
    except Invalid as error:
        raise CommandError(
            f"{path.name}: {error}", f"edit {path.name}: its comments say what each key takes"
        ) from error


def _require_known(names: Iterable[str]) -> None:
    for name in names:
        if name not in SECTIONS:
            raise Invalid(name, f"unknown; known are {', '.join(SECTIONS)}")


def _require_reachable(urls: Mapping[str, str], socket: str) -> None:
    """Raise `Invalid` where a part looks for the queue on its own host and not at the queue's socket."""
    for section_name, url in urls.items():
        is_here = not needs_token(url) or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        if is_here and url != f"unix:{socket}":
            raise Invalid(f"{section_name}.dashboard_url", f"leads nowhere: on its host the queue is at unix:{socket}")

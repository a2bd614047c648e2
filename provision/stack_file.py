"""A stack's settings file, jada.<stack>.toml, checked as a whole before anything of it travels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from provision import reference, settings, thresholds
from provision.errors import CommandError
from wire.addresses import needs_token
from wire.settings_file import sections
from wire.values import Invalid

SYNC = "port-sheet-sync.service"
SECTIONS = ("agent", "sync", "dashboard", "notify", "backup", "deploy", "audit")


@dataclass(frozen=True, slots=True)
class StackSettings:
    """A settings file whose sections were all read: ours, `queue`, the path of the queue's socket on the host, and
    `targets`, the names of those who are notified; `packages`, what the worker's tools need on the host; `table`, the
    one that the queue is in, if any; `off`, the units that have nothing to do.
    """

    deploy: settings.Settings
    queue: str
    targets: tuple[str, ...]
    packages: tuple[str, ...] = ()
    table: str = ""
    off: tuple[str, ...] = ()


def load(path: Path) -> StackSettings:
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
        found = sections(path)
        _require_known(found)
        worker = agent.read(found.get("agent", {}))
        if worker.prices is None:
            # Only the host has a price file of the operator's own.
            price_file.load(None, worker.model)
        reference.require_portable(reference.beside(path, found))
        backup.read(found.get("backup", {}))
        page = dashboard.read(found.get("dashboard", {}))
        sheet = sync.read(found.get("sync", {}))
        urls = {"agent": worker.dashboard_url, "sync": sheet.dashboard_url}
        _require_reachable({**urls, "notify": notify.read(found.get("notify", {})).dashboard_url}, page.socket)
        thresholds.read(found.get("audit", {}))
        ours = settings.read(found.get("deploy", {}))
        off = () if sheet.enabled else (SYNC,)
        return StackSettings(ours, page.socket, page.notify.targets, worker.packages, page.table, off)
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

"""What a deploy changes in texts, as a reader knows it from git; nothing that looks like a secret is in it."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SECRET = re.compile(
    r"(?i)((?<![a-z])[a-z0-9_.-]*(?:api_?key|token|secret|passwd|password|credential)[a-z0-9_.-]*[\"']?\s*[=:]\s*)(\S.*)"
)
"""A name that sounds like a secret's, and its value."""
NAMES_ONLY = re.compile(r"^\s*(Load|Set)Credential=|^\s*#")
"""Lines that name secrets and hold none."""
SHOWN = ("etc/", "units/")
"""Of a release's files, those that say how the host is; code is only counted."""


@dataclass(frozen=True, slots=True)
class Diff:
    """One text that changes: its lines as a unified diff."""

    path: str
    lines: tuple[str, ...]


def of_text(path: str, before: str | None, after: str | None) -> Diff:
    """Return how a text changes; None is one that is not there."""
    old, new = (_masked(text or "").splitlines() for text in (before, after))
    names = ("/dev/null" if before is None else path, "/dev/null" if after is None else path)
    lines = [*difflib.unified_diff(old, new, *names, n=2, lineterm="")]
    if not lines and before != after:
        lines = ["(only what is not shown differs)"]
    return Diff(path, tuple(lines))


def of_release(
    before: Mapping[str, str], texts: Mapping[str, str | None], after: Mapping[str, bytes]
) -> Iterator[Diff]:
    """Yield the diffs of a release's settings and units: `before` has path → digest on the host, with its `texts`."""
    for name in sorted({*before, *after}):
        if name.startswith(SHOWN) and name in texts:
            new = after.get(name)
            diff = of_text(name, texts[name], None if new is None else new.decode(errors="replace"))
            if diff.lines:
                yield diff


def counted(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Say how many files of code come, go and change, by their folder."""
    folders: dict[str, list[str]] = {}
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name) and not name.startswith(SHOWN):
            kind = "+" if name not in before else "-" if name not in after else "±"
            folders.setdefault("/".join(name.split("/")[:2]), []).append(f"{kind}{name.rsplit('/', 1)[-1]}")
    for folder, names in folders.items():
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        yield f"{folder}: {', '.join(names[:5])}{more}"


def _masked(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(line if NAMES_ONLY.search(line) else SECRET.sub(r"\1…", line) for line in lines)

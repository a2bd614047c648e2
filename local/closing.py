"""What the demo says at its end: what was done, by whom, where to look, what to do next. Text for a tired reader."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape

from local.account import typed
from wire.terminal import printable

WIDTH = 78
_STEP = WIDTH - 10


@dataclass(frozen=True, slots=True)
class Done:
    """A finished task: what the page says of it."""

    title: str
    id: str
    state: str
    sessions: int
    usd_micros: int
    result: str


def page(
    tasks: Sequence[Done],
    steps: Sequence[tuple[str, float]],
    sheet: str,
    *,
    real: bool,
    environ: Mapping[str, str],
) -> str:
    """Return the page, with the console's markup; `real` says that the real Claude answered."""
    env = typed(environ, "env").removeprefix("sudo ")
    parts = (
        ("What the tasks came to", _tasks(tasks, real=real)),
        ("Which answers were real", _answers(real=real)),
        (f"What took how long: {sum(s for _, s in steps):.0f} s in all", _times(steps)),
        ("Where to look", _places(tasks[0].id, sheet, env)),
        ("What next", _next(typed(environ, "demo"), typed(environ, "down"), real=real)),
    )
    shown = ((title, printable(text, keep_newlines=True)) for title, text in parts)
    return "\n" + "\n".join(f"[bold]{escape(title)}[/]\n{escape(text)}" for title, text in shown)


def _tasks(tasks: Sequence[Done], *, real: bool) -> str:
    price = "cost" if real else "would have cost"
    lines = []
    for task in tasks:
        sessions = "1 session" if task.sessions == 1 else f"{task.sessions} sessions"
        # Less than a cent is still something, as `fab task.list` has it.
        dollars = "<$0.01" if 0 < task.usd_micros < 10_000 else f"${task.usd_micros / 1e6:.2f}"
        lines.append(f"  {task.title:<28} {task.state}, {sessions}, {price} {dollars}")
        first = next(iter(task.result.splitlines()), "")
        lines += textwrap.wrap(first, WIDTH, initial_indent="     ", subsequent_indent="     ")[:3]
    return "\n".join(lines) + "\n"


def _answers(*, real: bool) -> str:
    claude = "the real API: what it cost is on your bill" if real else "played by a script: no money was spent"
    return f"""\
  real      Pulumi, SSH, the Debian host with systemd and its firewall, the
            worker, its sandbox, the queue, the page, the sync
  Claude    {claude}
  AWS       played on this machine: the host is a container, not a rented box
  Google    played: the sheet is a page of this machine, not of your Drive
  bookings  played: served from {"a file or a generated season"}
"""


def _times(steps: Sequence[tuple[str, float]]) -> str:
    return "".join(f"  {textwrap.shorten(name, _STEP, placeholder=' …'):<{_STEP}} {s:5.1f} s\n" for name, s in steps)


def _places(task: str, sheet: str, env: str) -> str:
    return f"""\
  first        eval "$({env})"
  the page     fab dashboard     (prints a link that signs you in)
  a report     fab task.get {task} --to ~
  the sheet    {sheet}
  the host     fab status      fab logs      fab ssh
  the cloud    pulumi stack    aws lightsail get-instances
  the proof    fab verify      pulumi up     (neither changes anything)
"""


def _next(demo: str, down: str, *, real: bool) -> str:
    model = "" if real else f"\n  the real Claude    {demo} CLAUDE=real\n{'':21}(needs a key, costs money)"
    return f"""\
  your bookings      {demo} BOOKINGS=FILE{model}
  a real box         README.md, "With an AWS account": the same commands, with
                     --stack prod; the box and Claude then cost money
  end it             {down}
                     (removes all but the tools' cache)
"""

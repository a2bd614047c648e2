"""The audit as one page of HTML that needs nothing else: for an operator's archive, or their printer.

It is built as a tree, never as text: whatever a host, a model or a booking system said is escaped when it is written.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from xml.etree import ElementTree as ET

from provision.audit import charts
from provision.audit.charts import HEIGHT, WIDTH, Chart
from provision.audit.judge import Row, worst
from provision.audit.observed import NotKnown, Observed
from provision.audit.report import SPAN, TITLE, summary
from wire.terminal import printable

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #595959; --line: #c9c9c9; --paper: #fff;
  --ok: #1a6b34; --look: #8a5300; --bad: #a4161a; --unknown: #4a4a8a; --level: #7aa2d6; --peak: #1d4f91; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --soft: #b0b0b0; --line: #555; --paper: #161616;
  --ok: #7fd69a; --look: #f0b45a; --bad: #ff8f8f; --unknown: #b3b3f5; --level: #4a78b5; --peak: #a9c9f5; } }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  padding: 16px; max-width: 1100px; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
p { margin: .2rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: var(--soft); }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; } .cure { color: var(--soft); }
.verdict { font-weight: 700; white-space: nowrap; width: 7rem; }
.ok { color: var(--ok); } .none { color: var(--soft); } .look { color: var(--look); } .bad { color: var(--bad); }
.not-known { color: var(--unknown); } .number { text-align: right; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 1rem 2rem; }
figure { margin: 0; } figcaption { font-weight: 600; } svg { display: block; width: 100%; height: auto;
  border-bottom: 1px solid var(--line); } .ends { display: flex; justify-content: space-between; gap: 1rem; }
.ends, .legend, .top { font-size: .85rem; color: var(--soft); }
.legend span { margin-right: 1rem; white-space: nowrap; }
.legend svg { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem; border: 0;
  vertical-align: -.1rem; }
.level { fill: var(--level); } .peak { fill: var(--peak); } .good { fill: var(--ok); } .other { fill: url(#hatched); }
.hit { fill: url(#crossed); } #hatched path { stroke: var(--soft); } #crossed path { stroke: var(--bad); }
@media (max-width: 640px) { .stack thead { position: absolute; clip-path: inset(50%); } .stack tr { display: block;
  padding: .5rem 0; border-top: 1px solid var(--line); } .stack th, .stack td { display: block; border: 0; padding: 0;
  width: auto; text-align: left; white-space: normal; } .stack td[data-name]::before { content: attr(data-name) " ";
  color: var(--soft); } }
@media print { body { font-size: 10pt; max-width: none; padding: 0; } tr, figure { break-inside: avoid; }
  h2 { break-after: avoid; } }
"""


def html(seen: Observed, rows: Sequence[Row]) -> str:
    """Return the page."""
    root = ET.Element("html", lang="en")
    head = ET.SubElement(root, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    # It is a file of its own: nothing in it may fetch, run or be sent anywhere.
    policy = {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}
    ET.SubElement(head, "meta", policy)
    _text(head, "title", f"{TITLE}: {seen.host}")
    _text(head, "style", STYLE)
    main = ET.SubElement(ET.SubElement(root, "body"), "main")
    _text(main, "h1", f"{TITLE}: {seen.host}")
    _text(main, "p", f"stack {seen.stack}, {seen.at:%Y-%m-%d %H:%M:%S} UTC", "soft")
    _verdict_line(main, rows)
    _rows(main, rows)
    _charts(main, list(drawn(seen)))
    _errors(main, seen)
    return "<!DOCTYPE html>\n" + ET.tostring(root, encoding="unicode", method="html") + "\n"


def drawn(seen: Observed) -> Iterator[Chart]:
    """Draw what there are points of; what was not observed is not drawn, and its row says why."""
    for name, title, unit, full in (
        ("CPUUtilization", "CPU", "Percent", None),
        ("BurstCapacityPercentage", "Burst capacity that is left", "Percent", 100.0),
        ("NetworkIn", "Network, received", "Bytes", None),
        ("NetworkOut", "Network, sent", "Bytes", None),
        ("StatusCheckFailed", "Status checks that failed", "Count", 1.0),
    ):
        with suppress(NotKnown):
            yield charts.metric(title, seen.metric(name), unit, seen.at, SPAN, full)
    with suppress(NotKnown):
        yield charts.sessions(seen.part("rates").days)
    with suppress(NotKnown):
        yield charts.syncs(seen.part("sync_runs").sync_runs)


def _verdict_line(main: ET.Element, rows: Sequence[Row]) -> None:
    _text(ET.SubElement(main, "p"), "strong", summary(rows), _class(worst(rows)))


def _class(verdict: str) -> str:
    return str(verdict).replace(" ", "-")


def _rows(main: ET.Element, rows: Sequence[Row]) -> None:
    table = _table(main, "What was looked at", ("verdict", "what", "seen"))
    for row in rows:
        line = ET.SubElement(table, "tr")
        _text(line, "td", f"{row.verdict}", f"verdict {_class(row.verdict)}")
        _text(line, "th", row.name).set("scope", "row")
        said = _text(line, "td", row.said)
        if row.cure:
            _text(said, "p", f"→ {row.cure}", "cure")


def _charts(main: ET.Element, found: Sequence[Chart]) -> None:
    _text(main, "h2", "Charts")
    _patterns(main)
    box = ET.SubElement(main, "div", {"class": "charts"})
    for chart in found:
        _figure(box, chart)


def _patterns(main: ET.Element) -> None:
    """The hatchings that bars are filled with: they tell on paper too, where colours do not."""
    hidden = ET.SubElement(main, "svg", {"aria-hidden": "true", "style": "position:absolute;width:0;height:0"})
    for name, path in (("hatched", "M0,4 L4,0"), ("crossed", "M0,0 L4,4 M0,4 L4,0")):
        about = {"id": name, "width": "4", "height": "4", "patternUnits": "userSpaceOnUse"}
        ET.SubElement(ET.SubElement(hidden, "pattern", about), "path", {"d": path, "stroke-width": "1.4"})


def _figure(box: ET.Element, chart: Chart) -> None:
    figure = ET.SubElement(box, "figure")
    _text(figure, "figcaption", chart.title)
    _text(figure, "div", f"at the top: {chart.top}" if chart.top else "\u00a0", "top")
    about = {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "role": "img", "aria-label": _spoken(chart)}
    drawing = ET.SubElement(figure, "svg", {**about, "preserveAspectRatio": "none"})
    for bar in chart.bars:
        place = {"x": bar.x, "y": bar.y, "width": bar.width, "height": bar.height}
        rect = ET.SubElement(
            drawing, "rect", {"class": bar.kind, **{name: f"{size:g}" for name, size in place.items()}}
        )
        _text(rect, "title", bar.says)
    ends = ET.SubElement(figure, "div", {"class": "ends"})
    _text(ends, "span", chart.begin)
    _text(ends, "span", chart.end)
    legend = ET.SubElement(figure, "div", {"class": "legend"})
    for kind, name in chart.legend:
        entry = ET.SubElement(legend, "span")
        mark = ET.SubElement(entry, "svg", {"viewBox": "0 0 8 8", "aria-hidden": "true"})
        ET.SubElement(mark, "rect", {"class": kind, "width": "8", "height": "8"}).tail = ""
        mark.tail = name


def _spoken(chart: Chart) -> str:
    if not chart.bars:
        return f"{chart.title}: nothing to draw"
    return f"{chart.title}, {chart.begin} to {chart.end}; the last: {chart.bars[-1].says}"


def _errors(main: ET.Element, seen: Observed) -> None:
    _text(main, "h2", f"Errors in the journal of {seen.hours} hours")
    try:
        found = seen.part("journal")
    except NotKnown as error:
        _text(main, "p", f"not known: {error}")
        return
    _text(main, "p", f"{found['lines']} lines were read", "soft")
    if not found["patterns"]:
        return
    table = _table(main, "", ("times", "first", "last", "unit", "what they have in common"))
    for one in found["patterns"]:
        line = ET.SubElement(table, "tr")
        first, last = (f"{datetime.fromtimestamp(one[end], seen.at.tzinfo):%m-%d %H:%M}" for end in ("first", "last"))
        cells = (("times", f"{one['count']}"), ("first", first), ("last", last), ("unit", one["unit"]))
        for name, value in cells:
            _text(line, "td", value, "number" if name == "times" else "").set("data-name", name)
        _text(line, "td", one["pattern"])


def _table(main: ET.Element, title: str, columns: Sequence[str]) -> ET.Element:
    table = ET.SubElement(main, "table", {"class": "stack"})
    if title:
        _text(table, "caption", title)
    head = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for name in columns:
        _text(head, "th", name).set("scope", "col")
    return ET.SubElement(table, "tbody")


def _text(parent: ET.Element, tag: str, text: str, named: str = "") -> ET.Element:
    made = ET.SubElement(parent, tag, {"class": named} if named else {})
    # Control characters are none of HTML's, and say nothing to a reader.
    made.text = text if tag == "style" else printable(text)
    return made

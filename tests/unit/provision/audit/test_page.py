"""The audit as a page: all of it is there, and nothing in it acts."""

from dataclasses import replace

from bs4 import BeautifulSoup

from provision.audit import page, report
from provision.audit.judge import judge
from provision.audit.observed import Seen
from provision.thresholds import Thresholds
from tests.unit.provision.audit.conftest import NOW, PARTS, WELL, run, runs, with_part
from wire.types import SyncOutcome

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m&"


def made(seen):
    return BeautifulSoup(page.html(seen, judge(seen, Thresholds())), "html.parser")


def with_error(text):
    one = {"pattern": text, "sample": text, "count": 3, "first": NOW.timestamp(), "last": NOW.timestamp(), "unit": text}
    return with_part("journal", {**PARTS["journal"], "patterns": [one]})


def test_every_row_is_there_with_its_verdict():
    rows = judge(WELL, Thresholds())
    table = made(WELL).find("table")
    assert [th.text for th in table.find_all("th", scope="row")] == [row.name for row in rows]
    assert [td.text for td in table.select("td.verdict")] == ["ok"] * len(rows)


def test_what_others_wrote_is_only_read():
    broken = run(5, SyncOutcome.FAILED, cause=EVIL, cure=EVIL)
    seen = replace(with_error(EVIL), host=EVIL, parts={**with_error(EVIL).parts, "sync_runs": Seen(runs(broken))})
    text = page.html(seen, judge(seen, Thresholds()))
    found = BeautifulSoup(text, "html.parser")
    assert not found.find_all(["script", "img"])
    assert "\x1b" not in text
    assert "alert(1)" in found.text
    for line, _ in report.lines(seen, judge(seen, Thresholds())):
        assert "<script>" in line or "alert" not in line  # as it is: the terminal's part is done where it is printed


def test_it_needs_nothing_else():
    found = made(WELL)
    assert not found.select("[src], [href], link, script")
    assert "default-src 'none'" in found.find("meta", attrs={"http-equiv": True})["content"]
    assert "@media print" in found.find("style").text


def test_each_chart_is_drawn_and_says_what_it_shows():
    found = made(WELL)
    assert [caption.text for caption in found.find_all("figcaption")] == [
        "CPU", "Burst capacity that is left", "Network, received", "Network, sent", "Status checks that failed",
        "Sessions by day", "Runs of the sync",
    ]  # fmt: skip
    for drawing in found.select("figure > svg"):
        assert drawing["aria-label"]
        assert drawing.find("rect")


def test_what_was_not_observed_is_not_drawn():
    titles = [one.title for one in page.drawn(replace(WELL, metrics={}, parts={}))]
    assert titles == []


def test_errors_are_listed_with_count_first_and_last():
    cells = [cell.text for cell in made(with_error("HTTP Error 400")).find_all("table")[1].find("tbody").find_all("td")]
    assert cells == ["3", "05-13 18:00", "05-13 18:00", "HTTP Error 400", "HTTP Error 400"]

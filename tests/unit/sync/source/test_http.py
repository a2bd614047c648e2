"""Questions, slices and next pages, without a server."""

import pytest

from sync.source.http import _linked, spans_of


def test_a_window_is_cut_without_gap_or_overlap():
    assert spans_of("2026-01-30", "2026-02-03", 2) == [
        ("2026-01-30", "2026-01-31"),
        ("2026-02-01", "2026-02-02"),
        ("2026-02-03", "2026-02-03"),
    ]
    assert spans_of("2026-01-30", "", 0) == [("2026-01-30", "")]


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('<http://a/?p=2>; rel="next"', "http://a/?p=2"),
        ('<http://a/?p=1>; rel="prev", <http://a/?p=3>; rel="next"; title="more"', "http://a/?p=3"),
        ("<http://a/3>; rel=next", "http://a/3"),
        ('<http://a/?x=1,2>; rel="next last"', "http://a/?x=1,2"),
        ('<http://a/1>; rel="prev"', ""),
        ('<http://a/1>; rel="nextish"', ""),
        ("", ""),
    ],
)
def test_the_next_page_is_found_among_links(header, url):
    assert _linked(header) == url

"""A site as the command line names it."""

import argparse

import pytest

from local import site
from local.site import Site


def chosen(*arguments, **environ):
    parser = argparse.ArgumentParser()
    site.add_options(parser, environ)
    return site.chosen(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ((), {"JADA_SITE": "unheard"}, Site("unheard", 77)),
        (("--site", "unheard", "--octet", "90"), {}, Site("unheard", 90)),
        (("--site", "unheard"), {"JADA_OCTET": "90", "JADA_SITE": "lost"}, Site("unheard", 90)),
        ((), {"JADA_OCTET": "", "JADA_SITE": "unheard"}, Site("unheard", 77)),
    ],
)
def test_options_come_before_the_environment_and_that_before_what_is_usual(arguments, environ, expected):
    assert chosen(*arguments, **environ) == expected


@pytest.mark.parametrize(
    "arguments", [("--site", "Jada"), ("--site", "a-b"), ("--site", "x" * 13), ("--octet", "0"), ("--octet", "256")]
)
def test_a_name_or_octet_that_no_site_can_have_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        chosen(*arguments)
    assert arguments[1] in capsys.readouterr().err


def test_an_octet_is_recorded_for_commands_that_are_not_given_it(tmp_path):
    kept = Site("unheard", 90, tmp_path)
    site.record_octet(kept)
    assert site._recorded_octet(kept) == 90

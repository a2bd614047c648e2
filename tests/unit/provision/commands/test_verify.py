import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from provision import desired
from provision.commands.verify import failures, firewall_cases, pytest_command, read_report, word, write_junit
from provision.errors import CommandError
from provision.reach.firewall import Opening
from provision.reach.keyfiles import KeyFiles

ROOT = Path(__file__).parents[4]
PASSED = '<testcase classname="c" name="one"/>'
BACK = (
    '<testcase classname="c" name="two"><failure message="link /x: it is not there; `fab deploy` brings it back"/>'
    "</testcase>"
)
BY_HAND = '<testcase classname="c" name="three"><error message="area cron: /y is new; undo it"/></testcase>'


def _read(*cases):
    return read_report(f"<testsuites><testsuite name='pytest'>{''.join(cases)}</testsuite></testsuites>", "box")


def test_the_checks_run_over_openssh_which_verifies_the_host():
    words = pytest_command(KeyFiles(Path("/f"), "box", "192.0.2.7", 22), ["-x"])
    assert "--hosts=ssh://box" in words
    assert "--ssh-config=/f/config" in words
    assert words[-1] == "-x"


@pytest.mark.process
def test_without_a_host_its_checks_are_not_collected():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/host"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "no tests collected" in done.stdout


def test_verified_is_said_only_where_no_check_failed():
    skipped = '<testcase name="x"><skipped message="not here"/></testcase>'
    assert word(_read(PASSED, skipped)) == "verified: 1 checks"
    for broken in (BACK, BY_HAND):
        assert "verified" not in word(_read(PASSED, broken))


def test_what_a_deploy_brings_back_is_told_from_what_it_does_not():
    verdict = _read(PASSED, BACK, BY_HAND)
    assert word(verdict) == ("2 of 3 checks failed: 1 come back with `fab deploy`, 1 need what their lines say")
    assert [*failures(verdict.suite)] == [
        "two: link /x: it is not there; `fab deploy` brings it back",
        "three: area cron: /y is new; undo it",
    ]


def test_what_the_table_says_of_a_row_that_comes_back_is_counted_so():
    row = desired.Row("link", "/x", "y", "link")
    said = desired.described(desired.Difference(row, None))
    case = f'<testcase name="x"><failure message="{said}"/></testcase>'
    assert _read(case).come_back == 1


def _walls(cidrs, allowed, held=()):
    opening = Opening("tcp", 22, 22, tuple(cidrs))
    return _read(
        PASSED, *(ET.tostring(case).decode() for case in firewall_cases((opening,), allowed, held.__contains__))
    )


def test_what_lightsail_lets_in_is_checked_too():
    assert word(_walls(["192.0.2.1/32"], ["192.0.2.1/32"])) == "verified: 4 checks"
    left = _walls(["192.0.2.1/32", "198.51.100.7/32"], ["192.0.2.1/32"])
    (line,) = failures(left.suite)
    assert "left open, not in operator-cidrs: 198.51.100.7/32; `fab door --out`" in line
    assert word(_walls(["192.0.2.1/32", "198.51.100.7/32"], ["192.0.2.1/32"], ["198.51.100.7/32"])).startswith(
        "verified"
    )


def test_an_operator_who_is_shut_out_is_named():
    (line,) = failures(_walls(["192.0.2.1/32"], ["192.0.2.1/32", "192.0.2.2/32"]).suite)
    assert "closed to an operator's address: 192.0.2.2/32" in line


def test_the_report_has_a_suite_for_each_host(tmp_path):
    write_junit(tmp_path / "all.xml", [_read(PASSED).suite, _read(BY_HAND).suite])
    root = ET.parse(tmp_path / "all.xml").getroot()
    assert [(suite.get("name"), len(suite)) for suite in root] == [("box", 1), ("box", 1)]


def test_a_report_that_can_not_be_written_is_said_with_its_path(tmp_path):
    with pytest.raises(CommandError, match=r"no/all\.xml can't be written"):
        write_junit(tmp_path / "no" / "all.xml", [])

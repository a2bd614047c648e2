"""Each check of `fab verify` fails when what it looks at is broken; that it passes, the demo's own tests say."""

import ast
import contextlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from local.hosts import disk
from tests.e2e.chain.breakages import BATCHES, BREAKAGES

pytestmark = [pytest.mark.root, pytest.mark.chain]
HOST = "ssh://jada-orchestrator"
SUDOER = "etc/sudoers.d/90-cloud-init-users"
BECOMES_ROOT = "test_the_login_user_becomes_root_without_a_password"
OF_THE_TABLE = "test_as_desired"
"""One check for all rows of the table: tests/e2e/provision/test_table.py changes those by hand."""


def _failed(chain, report):
    """Run `fab verify`, and return the checks that failed, by name and parameter, and what it printed."""
    done = chain.fab("verify", "--junit", str(report), check=False)
    cases = [case for case in ET.parse(report).iter("testcase") if {each.tag for each in case} & {"failure", "error"}]
    names = [case.get("name").replace(f"{HOST}-", "").replace(f"[{HOST}]", "") for case in cases]
    assert (done.returncode != 0) is bool(names)
    return {name for name in names if not name.startswith(OF_THE_TABLE)}, done.stdout


@pytest.fixture(scope="module")
def seen(chain, tmp_path_factory):
    """What failed in each batch of breakages: one run for all of one, because each takes its seconds."""
    report, seen = tmp_path_factory.mktemp("verify") / "junit.xml", []
    for batch in BATCHES:
        with contextlib.ExitStack() as undoes:
            for breakage in batch.values():
                undoes.callback(chain.host, breakage.undo)
                chain.host(breakage.do)
            seen.append(_failed(chain, report)[0])
    return seen


@pytest.mark.parametrize("name", BREAKAGES)
def test_each_check_fails_when_what_it_looks_at_is_broken(seen, name):
    failed = next(failed for failed, batch in zip(seen, BATCHES, strict=True) if name in batch)
    unseen = [check for check in BREAKAGES[name].fails if not any(each.startswith(check) for each in failed)]
    assert not unseen, sorted(failed)


def test_no_check_fails_for_what_another_looks_at(seen):
    for failed, batch in zip(seen, BATCHES, strict=True):
        declared = tuple(check for breakage in batch.values() for check in breakage.fails)
        assert [each for each in failed if not each.startswith(declared)] == []


def test_each_hand_written_check_has_a_breakage():
    files = [ast.parse(path.read_text()) for path in Path("tests/host").glob("test_*.py")]
    checks = {each.name for file in files for each in file.body if getattr(each, "name", "").startswith("test_")}
    broken = {check.partition("[")[0] for breakage in BREAKAGES.values() for check in breakage.fails}
    assert checks == {*broken, BECOMES_ROOT, OF_THE_TABLE}


def test_a_login_user_who_does_not_become_root_is_named(chain, tmp_path):
    """By itself, for no other check can be made then; it is undone from outside of the host."""
    path = disk.mounted(chain.site.state / "lightsail" / "hosts" / "jada-orchestrator") / SUDOER
    chain.log_out()
    path.rename(path.with_name("aside~"))
    try:
        failed, _ = _failed(chain, tmp_path / "junit.xml")
    finally:
        path.with_name("aside~").rename(path)
    assert BECOMES_ROOT in failed

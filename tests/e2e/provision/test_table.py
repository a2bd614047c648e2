"""What a hand changes on a real host is seen, each thing by itself, and brought back or named with its cure."""

import pytest

from provision import desired
from provision.commands.accept import take
from provision.errors import CommandError
from provision.release import plan
from provision.release.deploy import Builder, deploy, prepare
from tests.e2e.provision.changes import CHANGES
from tests.e2e.provision.host import until_proven

pytestmark = pytest.mark.root


def _said(box, source, progress, *, deep, builder=None):
    """What a plan says of a host; with `deep`, what verify looks at besides."""
    made = prepare(box, source, progress, builder).plan
    said = {*plan.lines(made), *map(desired.described, made.differing)}
    if deep:
        seen = plan.read_probe(box.program("probe", plan.probe_request(deep=True)))
        said |= {desired.described(each) for each in desired.differences(desired.table(seen.os), seen.found)}
    return said


BATCHES = 11
UNREAD = "an sshd that was not reloaded"
"""What sshd offers all the same is seen after that, and before another change has it reload."""


def _batches():
    """Changes that are made for one look: what is alike is apart, so that none is seen by another's line."""
    deep = [name for name, change in CHANGES.items() if change.deep]
    rest = [name for name in CHANGES if name not in (UNREAD, *deep)]
    return [[UNREAD], deep, *(rest[first::BATCHES] for first in range(BATCHES))]


@pytest.mark.timeout(600, func_only=True)  # a whole plan for each batch of them
def test_nothing_that_a_hand_changes_is_unseen_and_each_is_brought_back_or_undone(deployed, source, progress):
    assert prepare(deployed, source, progress).plan.differing == ()
    done = []
    try:
        assert _unseen(deployed, source, progress, done) == {}
        assert len(done) >= 60
        deploy(deployed, source, progress)
        until_proven(deployed)
        left = prepare(deployed, source, progress).plan
        assert [desired.described(each) for each in left.repairs] == []
        assert not left.restart
        said = "\n".join(plan.lines(left))
        back = [name for name, change in CHANGES.items() if not change.undo and change.named in said]
        assert back == []
    finally:
        # Also after a failure: the host is that of all tests in this folder.
        # By one shell, which goes on after what fails: what is left then is said below.
        undo = [change.undo for change in reversed(done) if change.undo]
        deployed.run(["sh", "-c", "\n".join([*undo, "true"])])
        deploy(deployed, source, progress)
    assert [line for line in _said(deployed, source, progress, deep=True) if "nothing to do" not in line] == []


def _unseen(box, source, progress, done):
    """Make all changes, each into `done`, and return those of which nothing was said: name → what was said instead."""
    unseen, builder = {}, Builder(source)
    before = {deep: _said(box, source, progress, deep=deep, builder=builder) for deep in (False, True)}
    for batch in _batches():
        changes = {name: CHANGES[name] for name in batch}
        for change in changes.values():
            # Before it is done: also what fails halfway is undone.
            done.append(change)
            box.run(["sh", "-c", change.do])
        deep = any(change.deep for change in changes.values())
        said = _said(box, source, progress, deep=deep, builder=builder)
        new, before[deep] = said - before[deep], said
        seen = "\n".join(new)
        unseen |= {name: sorted(new) for name, change in changes.items() if change.named not in seen}
    return unseen


def test_what_was_changed_on_purpose_is_taken_for_right_and_named_no_more(deployed, source, progress):
    deployed.run(["sh", "-c", "echo '# on purpose' >/etc/cron.d/ours"])
    try:
        assert take(deployed, "area cron") == {"/etc/cron.d/ours": "is new"}
        assert [each.row.id for each in prepare(deployed, source, progress).plan.named] == []
        assert take(deployed, "area cron") == {}
    finally:
        deployed.run(["rm", "/etc/cron.d/ours"])
        take(deployed, "area cron")
    with pytest.raises(CommandError, match="is no row that can be accepted; those are area cron, "):
        take(deployed, "package cron")

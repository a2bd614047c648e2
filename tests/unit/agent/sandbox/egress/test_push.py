"""The head of a push, read before anything of it is passed on."""

import pytest

from agent.sandbox.egress.push import PushHead
from agent.sandbox.egress.rules import EgressRefused

OLD, NEW, NONE = b"1" * 40, b"2" * 40, b"0" * 40
CAPABLE = b"\0 report-status side-band-64k object-format=sha1 agent=git/2.39"


def line(text):
    return f"{len(text) + 4:04x}".encode() + text


def command(ref, old=NONE, new=NEW, more=CAPABLE):
    return line(old + b" " + new + b" " + ref + more)


def read(*lines, flush=b"0000", pack=b"PACK..."):
    head = PushHead("POST git.example.com/x.git/git-receive-pack")
    head.take(b"".join(lines) + flush + pack)
    head.end()
    return head


@pytest.mark.parametrize("old", [NONE, OLD])
def test_a_branch_of_ours_is_created_and_updated(old):
    body = command(b"refs/heads/jada/task-1", old)
    assert read(body).seen == body + b"0000PACK..."


def test_the_head_is_known_before_the_pack_has_come_and_in_any_pieces():
    head, body = PushHead("x"), command(b"refs/heads/jada/a") + command(b"refs/heads/jada/b", more=b"") + b"0000"
    for at in range(len(body)):
        assert not head.whole
        head.take(body[at : at + 1])
    assert head.whole


def test_gits_own_question_whether_it_may_push_is_passed_on():
    assert read(pack=b"").whole


@pytest.mark.parametrize(
    "ref",
    [b"refs/heads/main", b"refs/heads/jada", b"refs/heads/jada/", b"refs/heads/jadax/y", b"refs/tags/v1", b"HEAD",
     b"refs/heads/Jada/x", b" refs/heads/jada/x", b"refs/heads/jada/x refs/heads/main", b"refs/for/jada/x", b""],
)  # fmt: skip
def test_any_other_reference_is_refused(ref):
    with pytest.raises(EgressRefused, match=r"jada|no push"):
        read(command(ref))


def test_one_that_hides_behind_a_permitted_one_is_refused():
    with pytest.raises(EgressRefused, match="refs/heads/main"):
        read(command(b"refs/heads/jada/x"), command(b"refs/heads/main", more=b""))


def test_a_branch_of_ours_is_not_deleted():
    with pytest.raises(EgressRefused, match="would delete"):
        read(command(b"refs/heads/jada/x", OLD, NONE))


@pytest.mark.parametrize("more", [CAPABLE + b" push-options", b"\0push-options"])
def test_options_by_which_servers_do_more_are_refused(more):
    with pytest.raises(EgressRefused, match="options"):
        read(command(b"refs/heads/jada/x", more=more))


def test_a_certificate_is_refused_because_its_commands_are_elsewhere():
    with pytest.raises(EgressRefused, match="certificate"):
        read(line(b"push-cert\0 report-status\n"))


def test_a_shallow_clone_may_push():
    assert read(line(b"shallow " + OLD), command(b"refs/heads/jada/x")).whole


@pytest.mark.parametrize(
    "body",
    [b"+00f", b"0_0f", b"00 f", b"zzzz", b"0001", b"0002", b"0004", b"0003", line(b"hello"), line(OLD + b" " + NEW)],
)
def test_what_is_no_push_of_gits_is_refused(body):
    with pytest.raises(EgressRefused, match="no push"):
        read(body)


def test_a_body_without_commands_carries_nothing():
    with pytest.raises(EgressRefused, match="without a command"):
        read(pack=command(b"refs/heads/main"))


def test_commands_that_do_not_end_are_refused():
    with pytest.raises(EgressRefused, match="before its commands"):
        read(command(b"refs/heads/jada/x"), flush=b"", pack=b"")
    with pytest.raises(EgressRefused, match="64 KB"):
        read(*[command(b"refs/heads/jada/x")] * 700, flush=b"", pack=b"")

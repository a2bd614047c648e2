from dashboard.requests import digests
from dashboard.rules import same_request
from wire.types import AskedBudget, File, NewTask
from wire.values import parse

TASK = NewTask(
    title="Zimmer prüfen",
    description="x",
    context=(File(name="a.csv", content=b"1,2\n"),),
    budget=AskedBudget(sessions=3),
    dedupe_key="k",
)


def test_the_first_releases_digest_still_matches():
    # As that release computed it, for this very task.
    assert same_request("1:c7e4d6f58e038f7b6b8c698962e63ae09b6ca1a28220ed2d73ffeaf551b7d5e8", digests(TASK))


def test_a_default_that_was_sent_and_one_that_was_left_out_are_one_request():
    sent = parse(NewTask, '{"title": "t", "priority": 5, "budget": {"sessions": 5}, "parent": null}')
    assert digests(sent) == digests(NewTask(title="t"))


def test_another_request_has_another_digest():
    for other in (NewTask(title="u"), NewTask(title="t", context=(File(name="a", content=b"1"),))):
        assert not same_request(digests(NewTask(title="t")), digests(other))


def test_a_request_that_uses_a_newer_field_has_no_digest_of_a_version_that_does_not_know_it():
    plain, labelled = digests(NewTask(title="t")), digests(NewTask(title="t", labels=("x",)))
    assert not same_request(plain, labelled)
    assert [each.partition(":")[0] for each in labelled.split()] == ["2"]

from dashboard import story
from wire.types import Act, Budget, Deed, Exit, Need, Session, State, Task, Waiting


def task(state=State.QUEUED, **fields):
    times = {"created_at": "2026-05-13T10:00:00Z", "updated_at": "2026-05-13T14:00:00Z"}
    return Task(
        id="T", title="t", description="", state=state, priority=5, budget=Budget(), version=1, **times, **fields
    )


def session(number, code=None, **fields):
    times = {"started_at": f"2026-05-13T1{number}:00:00Z", "updated_at": f"2026-05-13T1{number}:30:00Z"}
    return Session(id=f"S{number}", task="T", host="box", exit=code, **times, **fields)


def test_a_story_is_reported_in_order_with_the_reasons():
    told = story.steps(task(State.DONE), [session(1, Exit.TURN_LIMIT, reason="half"), session(2, Exit.FINISHED)])
    assert [(step.title, step.text, step.session) for step in told] == [
        ("Added", "", None),
        ("Session 1 began on box", "", "S1"),
        ("Session 1 handed over at its turn limit", "half", "S1"),
        ("Session 2 began on box", "", "S2"),
        ("Session 2 finished", "", "S2"),
        ("Done", "", None),
    ]
    assert [step.kind for step in told][-2:] == ["good", "good"]


def test_what_waits_says_since_when():
    waiting = Waiting(kind=Need.QUESTION, text="?", since="2026-05-13T11:30:00Z")
    told = story.steps(task(State.NEEDS_YOU, waiting=waiting), [session(1, Exit.ASKED)])
    assert (told[-1].title, told[-1].kind, told[-1].at) == ("Waits for you", "waits", "2026-05-13T11:30:00Z")


def test_what_is_queued_for_later_says_when_it_goes_on():
    later = story.steps(task(not_before="2026-05-14T00:00:00Z"), [])[-1]
    assert (later.title, later.at) == ("Goes on, not before then", "2026-05-14T00:00:00Z")
    assert [step.title for step in story.steps(task(parent="P"), [])] == ["Added by another task"]


def test_an_end_of_another_release_is_reported_as_such():
    told = story.steps(task(State.RUNNING), [session(1, Exit(99))])
    assert "which this release does not know" in told[-1].title


def test_a_users_answer_is_a_step_at_its_place_with_its_words():
    acts = (
        Act(at="2026-05-13T09:59:00Z", by="Ada", deed=Deed.ADDED),
        Act(at="2026-05-13T11:45:00Z", by="Bob", deed=Deed.ANSWERED, text="room 12"),
    )
    told = story.steps(task(acts=acts), [session(1, Exit.ASKED), session(2)])
    assert [(step.title, step.text) for step in told] == [
        ("Added by Ada", ""),
        ("Session 1 began on box", ""),
        ("Session 1 waits: asked a user", ""),
        ("Answered by Bob", "room 12"),
        ("Session 2 began on box", ""),
    ]


def test_what_waits_for_subtasks_names_them():
    last = story.steps(task(not_before="2098-12-31T23:59:59Z", waits_for=("A", "B")), [session(1, Exit.SUBTASKS)])[-1]
    assert (last.title, last.kind, last.tasks) == ("Waits for 2 subtasks", "waits", ("A", "B"))
    assert last.at == "2026-05-13T14:00:00Z"

"""What the operator sees of an installer on a host, over a connection that may break."""

import contextlib
import io
import json

import pytest
from rich.console import Console

from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.connection import ConnectionLost
from provision.release import installer
from provision.release.installer import Errand, follow, show_steps, start

BROKEN = object()
"""In a script: the connection breaks here."""


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def progress(out):
    return Progress(Console(file=out, width=200), clock=lambda: 0.0, slow_s=3600)


def line(**event):
    return (json.dumps(event) + "\n").encode()


class Scripted:
    """A host that prints what it is given, and keeps what it was asked."""

    name = "box"

    def __init__(self, *lines, answer=None):
        self.script, self.answer, self.asked = lines, answer, []

    def lines(self, _command, stdin, silence_s):
        assert silence_s
        self.asked.append(stdin)
        for each in self.script:
            if each is BROKEN:
                raise ConnectionLost("box", "")
            yield each

    def program(self, _name, argument):
        self.asked.append(argument)
        if self.answer is BROKEN:
            raise ConnectionLost("box", "")
        return self.answer


def following(*lines, errand=None, progress, run="r", until_deployed=True):
    return follow(Scripted(*lines), run, progress, errand or Errand(), until_deployed=until_deployed)


def test_the_hosts_steps_are_shown_as_ours(progress, out):
    news = iter([{"begin": "unpack"}, {"done": "unpack"}, {"note": "remove r1"}, {"finished": True}])
    assert show_steps(news, progress) == {"finished": True}
    assert out.getvalue() == "  ✓ unpack\n  ✓ remove r1\n"


def test_a_broken_step_is_marked_and_what_followed_is_shown(progress, out):
    news = [{"begin": "switch"}, {"broken": "switch"}, {"begin": "go back"}, {"done": "go back"}, {"failed": "ill"}]
    assert show_steps(iter(news), progress) == {"failed": "ill"}
    assert "✗ switch" in out.getvalue()
    assert "✓ go back" in out.getvalue()


def test_a_step_in_which_the_installer_was_killed_is_marked_too(progress, out):
    news = [{"begin": "switch"}, {"note": "it was ended"}, {"failed": "gone back"}]
    assert show_steps(iter(news), progress) == {"failed": "gone back"}
    assert out.getvalue() == "  ✗ switch  0.0 s\n  ✓ it was ended\n"


@pytest.mark.parametrize("news", [[], [{"begin": "switch"}], [{"begin": "x"}, {"done": "x"}], [{"note": "n"}]])
def test_news_may_end_anywhere(progress, news):
    assert show_steps(iter(news), progress) == {}


def test_what_happened_is_said_and_a_sign_of_life_is_no_news(progress):
    said = following(line(following="r"), line(alive=True), line(deployed="r9", proven_in=65.0), progress=progress)
    assert said == "deployed; the host watches it for 65 s more, until it is proven (`fab attach` waits for that)"


@pytest.mark.parametrize(
    ("last", "cause"),
    [
        ({"failed": "no room"}, "box: no room"),
        ({"reverted": "it ended.\nr1 is back"}, "box: it ended.\nr1 is back"),
        ({"ended": "silent", "run": "r"}, "the installer ended without its last word"),
        ({"ended": "unknown", "run": None}, "no such deploy is known there"),
    ],
)
def test_bad_news_is_an_error_with_its_cause(progress, last, cause):
    with pytest.raises(CommandError) as caught:
        following(line(**last), progress=progress)
    assert cause in caught.value.cause


@pytest.mark.parametrize("word", ["deployed", "proven", "finished"])
def test_good_news_is_said_only_when_the_host_said_it(progress, word):
    with pytest.raises(CommandError):
        following(line(begin="x"), line(done="x"), line(note=word), line(ended="silent"), progress=progress)
    assert following(line(**{word: "r9"}), progress=progress)


def test_what_an_installer_failed_with_can_not_act_on_the_terminal(progress):
    with pytest.raises(CommandError) as caught:
        following(line(failed="ill; its journal ends:\n    \x1b[2Jpanic"), progress=progress)
    assert caught.value.message.splitlines()[:2] == ["box: ill; its journal ends:", r"    \x1b[2Jpanic"]


def test_after_a_broken_connection_the_events_go_on_where_they_were(progress, out):
    first = (line(following="r7"), line(begin="unpack"))
    second = Scripted(line(following="r7"), line(done="unpack"), line(finished=True))
    errand = Errand(again=lambda: contextlib.nullcontext(second), again_s=5)
    assert following(*first, BROKEN, errand=errand, progress=progress, run=None) == "done"
    assert f'"run": "r7", "offset": {len(first[1])}' in second.asked[0].decode().replace("\\", "")
    assert "✓ unpack" in out.getvalue()


def test_one_who_waits_for_the_proof_hears_of_the_deploy_and_then_of_that(progress, out):
    news = (line(deployed="r9", proven_in=65), line(proven="r9"))
    assert following(*news, progress=progress, until_deployed=False) == "release r9 is proven"
    assert out.getvalue() == "  ✓ deployed; the host watches it until it is proven\n"


def test_a_host_that_stays_away_is_no_news_at_all(progress):
    errand = Errand(again=lambda: contextlib.nullcontext(None), again_s=0)
    with pytest.raises(CommandError, match=r"(?s)Which of the two is not known here.*fab attach"):
        following(BROKEN, errand=errand, progress=progress)


def test_an_interrupted_following_says_that_the_host_goes_on(progress):
    class Interrupted(Scripted):
        def lines(self, *_arguments):
            raise KeyboardInterrupt

    with pytest.raises(CommandError, match=r"(?s)goes on by itself on the host.*fab attach"):
        follow(Interrupted(), "r", progress, Errand(), until_deployed=True)


def test_a_second_installer_is_refused():
    host = Scripted(answer={"refused": "another deploy is at work on this host", "run": "r1"})
    with pytest.raises(CommandError, match="another deploy is at work"):
        start(host, {}, Errand())


def test_a_start_whose_answer_was_lost_is_asked_again_under_the_same_name():
    second = Scripted(answer={"run": "r1"})
    errand = Errand(run="r1", again=lambda: contextlib.nullcontext(second), again_s=5)
    assert start(Scripted(answer=BROKEN), {}, errand) == "r1"
    assert second.asked[0]["run"] == "r1"


def test_the_names_of_runs_differ_and_sort_by_time_also_around_a_seconds_end():
    moments = iter([999_999_999, 10**9, 10**9 + 1, 2 * 10**9 - 1, 2 * 10**9])
    names = [installer.new_run(lambda: next(moments)) for _ in range(5)]
    assert names == sorted(set(names))
    assert names[0] == "19700101T000000Z-999999999"
    assert installer.new_run() > names[-1]


class Interrupted(Scripted):
    """A host that prints its first lines, then Ctrl-C comes; the next lines are for who follows again."""

    def __init__(self, first, *then, stopped=True):
        super().__init__(answer={"stopped": stopped})
        self.parts = [[*first, KeyboardInterrupt()], [*then]]

    def lines(self, _command, stdin, silence_s):
        self.asked.append(stdin)
        for each in self.parts.pop(0):
            if isinstance(each, KeyboardInterrupt):
                raise each
            yield each


BEGUN = (line(following="r7"), line(begin="restart the worker"))


def interrupted(host, progress, *answers, until_deployed=True):
    given = iter(answers)
    return follow(host, "r7", progress, Errand(ask=lambda _question: next(given)), until_deployed=until_deployed)


def test_an_operator_who_is_asked_may_follow_again_from_where_it_was(progress, out):
    host = Interrupted(BEGUN, line(done="restart the worker"), line(finished=True))
    assert interrupted(host, progress, "what?", "f") == "done"
    assert f'"offset": {len(BEGUN[1])}' in host.asked[1].decode().replace("\\", "")
    assert "✓ restart the worker" in out.getvalue()


def test_what_is_to_be_undone_is_followed_to_its_last_word_and_said_in_the_hosts_own(progress):
    then = (
        line(broken="restart the worker"),
        line(deployed="r9"),
        line(reverted="asked to stop\nr8 is back and healthy."),
    )
    host = Interrupted(BEGUN, *then)
    with pytest.raises(installer.Interrupted, match=r"(?s)^box: asked to stop\nr8 is back.*fab deploy") as caught:
        interrupted(host, progress, "undo")
    assert host.asked[1] == {"run": "r7"}
    assert caught.value.code == installer.INTERRUPTED


def test_what_could_not_be_undone_any_more_is_not_called_undone(progress):
    host = Interrupted(BEGUN, line(done="restart the worker"), line(proven="r9"))
    with pytest.raises(installer.Interrupted, match=r"(?s)too late to undo it: release r9 is proven.*fab rollback"):
        interrupted(host, progress, "u")


def test_what_had_ended_when_it_was_to_be_undone_is_told_as_ever(progress):
    host = Interrupted(BEGUN, line(done="restart the worker"), line(deployed="r9", proven_in=65), stopped=False)
    assert "deployed; the host watches it" in interrupted(host, progress, "u")


@pytest.mark.parametrize("answer", ["", "l", KeyboardInterrupt(), EOFError()])
def test_enter_and_a_second_ctrl_c_leave_the_host_to_itself(progress, answer):
    def ask(_question):
        if isinstance(answer, str):
            return answer
        raise answer

    host = Interrupted(BEGUN)
    with pytest.raises(installer.Interrupted, match="goes on by itself"):
        follow(host, "r7", progress, Errand(ask=ask), until_deployed=True)
    assert len(host.asked) == 1

import pytest

from local.commands import CommandFailed, run, succeeds

pytestmark = pytest.mark.process


def test_a_command_gets_its_input_and_gives_its_output():
    assert run("cat", stdin="text") == "text"


def test_a_failed_command_tells_what_it_was_and_what_it_said():
    with pytest.raises(CommandFailed, match=r"sh -c .* ended with 3 and said: no luck"):
        run("sh", "-c", "echo no luck >&2; exit 3")


def test_a_question_is_answered_without_a_failure():
    assert [succeeds("true"), succeeds("false")] == [True, False]

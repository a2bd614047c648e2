"""The model that asks the user about a group booking and finishes with the answer."""

from doubles.claude.answer import Call, Reply
from doubles.claude.conversation import Conversation
from doubles.claude.scripts import moves

TITLE = "Ask about the group booking"
QUESTION = "The group has paid no deposit and the date to cancel without cost has passed: keep or release?"


def play(talk: Conversation) -> Reply:
    """Ask once, then finish."""
    answers = [result.text.strip() for result in talk.results if result.name == "ask_person" and not result.is_error]
    if answers:
        return (moves.finish(f'The group booking was put to a person, who answered: "{answers[-1]}"'),)
    return "This is for a person to decide.", Call("ask_person", {"question": QUESTION})

"""Which script plays a conversation: the one whose title is in the first user message."""

from collections.abc import Callable

from doubles.claude.answer import Reply
from doubles.claude.conversation import Conversation
from doubles.claude.scripts import any_task, every_booking, group_booking, moves, occupancy, repository

BY_TITLE: dict[str, Callable[[Conversation], Reply]] = {
    script.TITLE: script.play for script in (occupancy, every_booking, group_booking, repository)
}


def play(talk: Conversation) -> Reply:
    """Answer a conversation; any script hands over when asked to."""
    if moves.asked_to_hand_over(talk):
        return moves.checkpoint(talk)
    for title, script in BY_TITLE.items():
        if title in talk.first:
            return script(talk)
    return any_task.play(talk)

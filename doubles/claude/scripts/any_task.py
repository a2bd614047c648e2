"""The model for every other conversation: looks around if it can, and ends."""

from doubles.claude.answer import Reply
from doubles.claude.conversation import Conversation
from doubles.claude.scripts import moves


def play(talk: Conversation) -> Reply:
    """Look around with bash if there is one, then finish, or end the turn where there is no such tool."""
    if "bash" in talk.tools and not talk.results:
        return "I'll look around first.", moves.bash("pwd && ls -la")
    seen = talk.results[-1].text.strip() if talk.results else "nothing"
    result = f"No script is written for this conversation. What I saw: {seen[:500]}"
    return (moves.finish(result),) if "finish" in talk.tools else (result,)

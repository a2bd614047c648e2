"""The model that checks bookings one small batch a turn, runs into its turn limit, and finishes in a second session."""

from doubles.claude.answer import Reply
from doubles.claude.conversation import Conversation
from doubles.claude.scripts import moves

TITLE = "Check every booking"
SMALL, LARGE = 250, 5
"""Parts of all bookings: one of SMALL parts a turn outlasts any turn limit there can be (200), LARGE parts a second
session does not.
"""


def play(talk: Conversation) -> Reply:
    """Write the checker, check batch by batch, finish when all are checked."""
    # The files in the workspace carry the state, as they must for a real model after a hand-over.
    again = moves.handed_over(talk)
    if moves.output(talk, "all "):
        return (moves.finish(_result(talk), ["findings.csv"]),)
    if gone_wrong := moves.given_up(talk):
        return gone_wrong
    check = f"python3 check_bookings.py {LARGE if again else SMALL}"
    if moves.done(talk):
        return (moves.bash(check),)
    plan = "The files say how far it came; larger batches now." if again else "I'll check them batch by batch."
    return plan, moves.bash(f"{moves.write('check_bookings.py')}\n{check}")


def _result(talk: Conversation) -> str:
    found = moves.output(talk, "checked ").rpartition(" ")[2]
    return f"All {moves.output(talk, 'all ')}; findings: {found}. They are in findings.csv."

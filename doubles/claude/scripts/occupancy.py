"""The model that works out a season's occupancy from bookings.csv and hands over occupancy.csv."""

from doubles.claude.answer import Reply
from doubles.claude.conversation import Conversation
from doubles.claude.scripts import moves

TITLE = "Season occupancy"

_STEPS: tuple[Reply, ...] = (
    ("I'll look at the bookings first.", moves.bash("ls -l && head -n 4 bookings.csv && wc -l bookings.csv")),
    (
        "Which stays count depends on their status.",
        moves.bash(
            'awk -F, \'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "status") c = i; next } '
            "{ n[$c]++ } END { for (s in n) print s, n[s] }' bookings.csv | sort"
        ),
    ),
    ("Now the occupancy itself.", moves.bash(f"{moves.write('occupancy.py')}\npython3 occupancy.py")),
    ("A look at what came out.", moves.bash("head -n 5 occupancy.csv && wc -l < occupancy.csv")),
)


def play(talk: Conversation) -> Reply:
    """Look, count, write, check, finish."""
    busiest, total = moves.output(talk, "busiest:"), moves.output(talk, "total:")
    result = (
        f"The busiest month is {busiest}. The season has {total}; occupancy.csv has each hotel's months with room "
        "nights, the rooms of its fullest night, and the occupancy in percent."
    )
    return moves.in_steps(talk, _STEPS, moves.finish(result, ["occupancy.csv"]))

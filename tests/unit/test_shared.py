"""One address for all processes of a run of the tests."""

import threading
from multiprocessing.connection import Client

from tests import shared


def test_who_went_away_before_the_answer_leaves_others_theirs():
    gone = threading.Event()
    place = shared.share(lambda: gone.wait() and "found")
    Client(place).close()
    gone.set()
    with Client(place) as other:
        assert other.poll(60)
        assert other.recv() == "found"

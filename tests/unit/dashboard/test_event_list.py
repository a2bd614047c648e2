"""A session's journal over the API: piece by piece, whole where it can be read, and honest where it cannot."""

import socket
import sqlite3
from urllib.parse import urlsplit

import pytest

from dashboard.application import create
from dashboard.stores.memory import MemoryStore
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.tokens import accepting
from wire.client import Client, RequestRefused
from wire.types import Batch, ClaimRequest, Event, EventKind, NewTask

PIECES = 2000


def record(n, size=10):
    return Event(n=n, at="2026-05-13T12:00:00Z", kind=EventKind.MESSAGE, data={"content": "x" * size})


class LongJournal(MemoryStore):
    """A store whose one session has 100 MB of journal; it counts the pieces that were asked for."""

    asked = 0

    def chunks(self, _session_id, *, after=0):
        for n in range(after + 1, PIECES + 1):
            self.asked += 1
            yield [record(n, 50_000)]


def test_a_slow_reader_has_the_dashboard_hold_little_of_a_long_journal(token):
    store = LongJournal()
    with running(create(store, accepting(token))) as url, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader.connect(("127.0.0.1", urlsplit(url).port))
        head = (
            f"GET /v1/sessions/S/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token.reveal()}\r\n\r\n"
        )
        reader.sendall(head.encode())
        # Far more than its buffers hold, so that each piece read lets another be made, and then no more.
        taken = sum(len(reader.recv(65536)) for _ in range(100))
        assert taken > 0
        assert store.asked * 50_000 < taken + 10_000_000


def test_the_whole_of_it_arrives_in_order(token):
    with running(create(LongJournal(), accepting(token))) as url:
        events = Client(url, token, retries=0).events("S", after=PIECES - 100)
    assert [event.n for event in events] == list(range(PIECES - 99, PIECES + 1))


@pytest.fixture
def journal(tmp_path, token):
    """A client, a session with three deliveries of two records, and a way to damage the second."""
    store = SqliteStore(tmp_path / "queue.db")
    with running(create(store, accepting(token))) as url:
        client = Client(url, token, retries=0)
        client.add_task(NewTask(title="t"))
        session = client.claim(ClaimRequest(host="h")).session.id
        for first in (1, 3, 5):
            client.deliver(session, Batch(fence=1, events=(record(first), record(first + 1))))

        def damage(content):
            with sqlite3.connect(tmp_path / "queue.db") as db:
                where = "sha256 = (SELECT sha256 FROM deliveries WHERE first = 3)"
                db.execute(f"UPDATE blobs SET content = ? WHERE {where}", (content,))

        yield client, session, damage
    store.close()


@pytest.mark.parametrize("after", range(7))
def test_it_begins_behind_the_record_that_is_named(journal, after):
    client, session, _ = journal
    assert [event.n for event in client.events(session, after=after)] == list(range(after + 1, 7))


@pytest.mark.parametrize(
    ("content", "lost"), [(b"[", [(3, 4)]), (b'[{"n": 3, "at": 5, "kind": "message"}, 7]', [(3, 3), (4, 4)])]
)
def test_damaged_records_are_named_and_the_others_arrive(journal, content, lost):
    client, session, damage = journal
    damage(content)
    found = client.journal(session)
    assert [event.n for event in found.events] == [1, 2, 5, 6]
    assert [(part.n, part.last) for part in found.unreadable] == lost


def test_who_needs_the_whole_of_it_hears_that_it_is_damaged(journal):
    client, session, damage = journal
    damage(b"[")
    with pytest.raises(RequestRefused, match="record 3"):
        client.events(session)


def test_an_unknown_session_is_404_before_anything_is_sent(journal):
    client, _, _ = journal
    with pytest.raises(RequestRefused, match="404"):
        client.events("none")


def test_a_damaged_first_piece_leaves_the_json_whole(journal):
    client, session, damage = journal
    damage(b"[")
    found = client.journal(session, after=2)
    assert [event.n for event in found.events] == [5, 6]

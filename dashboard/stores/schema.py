"""The SQLite schema as numbered steps that only add: the release before must run on the schema after.

The number of steps applied is the file's `user_version`. A step, once released, is never edited. Decision 0030 says why
step 2 made an exception.
"""

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from dashboard.record import digest

_FIRST = """
    CREATE TABLE tasks (
        id TEXT PRIMARY KEY,
        root TEXT NOT NULL,
        state TEXT NOT NULL,
        rank INTEGER NOT NULL,
        suspended INTEGER NOT NULL,
        not_before TEXT,
        lease_until REAL,
        dedupe_key TEXT,
        pool_sessions INTEGER NOT NULL,
        pool_usd_micros INTEGER NOT NULL,
        sessions_used INTEGER NOT NULL,
        usd_micros_spent INTEGER NOT NULL,
        reserved INTEGER NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX ready ON tasks (rank, id) WHERE state = 'queued';
    CREATE INDEX resumable ON tasks (rank, id) WHERE state = 'queued' AND suspended = 1;
    CREATE INDEX leased ON tasks (lease_until) WHERE state = 'running';
    CREATE INDEX by_state ON tasks (state, id);
    CREATE INDEX family ON tasks (root);
    CREATE UNIQUE INDEX same_work ON tasks (dedupe_key)
        WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running', 'needs_you');
    CREATE TABLE keys (key TEXT PRIMARY KEY, digest TEXT NOT NULL, task TEXT NOT NULL);
    CREATE TABLE files (
        task TEXT NOT NULL, role TEXT NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL,
        PRIMARY KEY (task, role, name)
    );
    CREATE TABLE checkpoints (task TEXT PRIMARY KEY, content TEXT NOT NULL);
    CREATE TABLE sessions (id TEXT PRIMARY KEY, task TEXT NOT NULL, record TEXT NOT NULL);
    CREATE INDEX of_task ON sessions (task, id);
    CREATE TABLE events (
        session TEXT NOT NULL, n INTEGER NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL,
        PRIMARY KEY (session, n)
    );
    CREATE TABLE sync_runs (n INTEGER PRIMARY KEY, outcome TEXT NOT NULL, record TEXT NOT NULL);
    CREATE INDEX successes ON sync_runs (n) WHERE outcome <> 'failed'
"""

_SECOND = """
    DROP INDEX ready;
    DROP INDEX resumable;
    DROP INDEX leased;
    DROP INDEX by_state;
    DROP INDEX family;
    DROP INDEX same_work;
    ALTER TABLE tasks RENAME TO tasks_1;
    ALTER TABLE events RENAME TO events_1;
    CREATE TABLE tasks (
        id TEXT PRIMARY KEY,
        root TEXT NOT NULL,
        state TEXT NOT NULL,
        rank INTEGER NOT NULL,
        suspended INTEGER NOT NULL,
        ready_at REAL,
        dedupe_key TEXT,
        session TEXT,
        fence INTEGER NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX ready ON tasks (rank, id, root) WHERE state = 'queued' AND ready_at IS NULL;
    CREATE INDEX resumable ON tasks (rank, id, root) WHERE state = 'queued' AND ready_at IS NULL AND suspended = 1;
    CREATE INDEX timed ON tasks (ready_at) WHERE ready_at IS NOT NULL;
    CREATE INDEX by_state ON tasks (state, id) WHERE state <> 'running';
    CREATE UNIQUE INDEX same_work ON tasks (dedupe_key)
        WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running', 'needs_you');
    ALTER TABLE sessions RENAME TO sessions_1;
    DROP INDEX of_task;
    CREATE TABLE sessions (id TEXT PRIMARY KEY, task TEXT NOT NULL, record TEXT) WITHOUT ROWID;
    CREATE INDEX of_task ON sessions (task, id);
    INSERT INTO sessions SELECT id, task, record FROM sessions_1;
    CREATE TABLE budgets (
        root TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        sessions INTEGER NOT NULL,
        usd_micros INTEGER NOT NULL,
        reserved INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, content BLOB NOT NULL);
    CREATE TABLE deliveries (
        session TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, sha256 TEXT NOT NULL,
        PRIMARY KEY (session, first)
    ) WITHOUT ROWID
"""

_THIRD = """
    UPDATE keys SET digest = '1:' || digest;
    INSERT INTO budgets
        SELECT root, 1, sum(pool_sessions - sessions_used), sum(pool_usd_micros - usd_micros_spent - reserved),
            sum(reserved)
        FROM tasks_1 GROUP BY root;
    UPDATE sessions SET record = NULL WHERE id IN (SELECT session FROM tasks);
    DROP TABLE tasks_1;
    DROP TABLE sessions_1;
    DROP TABLE events_1;
    DROP TABLE files;
    DROP TABLE checkpoints
"""

# A task's latest session is found through its record: a claim need not write it into an index too. The release before
# lists sessions without one, slower.
_EARLIER_SESSIONS = """
    DROP INDEX of_task;
    CREATE INDEX earlier ON sessions (task, id) WHERE record IS NOT NULL
"""


_FOURTH = """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX running ON tasks (id) WHERE state = 'running';
    CREATE INDEX children ON tasks (root) WHERE root <> id AND state IN ('queued', 'running', 'needs_you')
"""
"""What the queue says of itself; leases are watched, and relatives found, without looking at all that is queued."""

_OUTBOX = """
    CREATE TABLE notices (
        id TEXT NOT NULL, target TEXT NOT NULL, task TEXT NOT NULL, due_at REAL, sent_at REAL, message TEXT NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (id, target)
    ) WITHOUT ROWID;
    CREATE INDEX notices_of_task ON notices (task);
    CREATE INDEX notices_due ON notices (due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX notices_sent ON notices (sent_at) WHERE sent_at IS NOT NULL;
    CREATE INDEX notices_of_message ON notices (message) WHERE message <> ''
"""


# A page sums these up instead of reading a journal. Only sessions that go on are counted again: the others' records
# have their totals. The release before leaves them empty.
_TOTALS = """
    ALTER TABLE deliveries ADD COLUMN turns INTEGER;
    ALTER TABLE deliveries ADD COLUMN usd_micros INTEGER;
    UPDATE deliveries SET (turns, usd_micros) = (
        SELECT count(*), coalesce(sum(json_extract(event.value, '$.data.usd_micros')), 0)
        FROM blobs, json_each(iif(json_valid(CAST(content AS TEXT)), CAST(content AS TEXT), '[]')) AS event
        WHERE blobs.sha256 = deliveries.sha256 AND json_extract(event.value, '$.kind') = 'settle'
    )
    WHERE session IN (SELECT session FROM tasks WHERE state IN ('queued', 'running', 'needs_you'))
"""

_RETENTION = """
    CREATE INDEX members ON tasks (root) WHERE root <> id;
    CREATE INDEX keys_of ON keys (task);
    CREATE TABLE unnamed (sha256 TEXT PRIMARY KEY) WITHOUT ROWID
"""
"""A family and its keys are found when they are to be deleted; `unnamed` are blobs that will be, unless put again."""


TEXT = (
    "coalesce(json_extract({row}.record, '$.task.title'), '') || char(10) || coalesce("
    "(SELECT CAST(content AS TEXT) FROM blobs WHERE sha256 = json_extract({row}.record, '$.description')),"
    " json_extract({row}.record, '$.task.description'), '')"
)
"""What is searched of a task: its title and its description, which is a blob where it is long."""
COST = "json_extract({row}.record, '$.task.usd_micros_spent')"
# Columns by their names: a later release may have added some.
_ADD_COST = f"""INSERT OR IGNORE INTO costs (usd_micros, task)
            SELECT {COST.format(row="new")}, new.id WHERE {COST.format(row="new")} > 0;"""
INDEXED_FROM = "indexed_from"
"""The key in `meta` of the least task that is indexed; none when all are."""
_LISTS = (
    "CREATE TABLE listed (n INTEGER PRIMARY KEY, task TEXT NOT NULL UNIQUE)",
    # Without the texts themselves, which the tasks have: they would double the file.
    """CREATE VIRTUAL TABLE words USING fts5(
        text, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2')""",
    "CREATE TABLE labels (label TEXT NOT NULL, task TEXT NOT NULL, PRIMARY KEY (label, task)) WITHOUT ROWID",
    """CREATE TABLE costs (
        usd_micros INTEGER NOT NULL, task TEXT NOT NULL, PRIMARY KEY (usd_micros, task)) WITHOUT ROWID""",
    f"""CREATE TRIGGER listed_added AFTER INSERT ON tasks WHEN json_valid(new.record) BEGIN
        INSERT INTO listed (task) VALUES (new.id);
        INSERT INTO words (rowid, text) SELECT n, {TEXT.format(row="new")} FROM listed WHERE task = new.id;
        INSERT OR IGNORE INTO labels (label, task) SELECT value, new.id FROM json_each(new.record, '$.task.labels');
        {_ADD_COST}
    END""",  # noqa: S608 - ours
    # What runs spends nothing until it ends: a claim and a heartbeat pay nothing here.
    f"""CREATE TRIGGER listed_changed AFTER UPDATE OF record ON tasks
        WHEN new.state <> 'running' AND json_valid(old.record) AND json_valid(new.record)
            AND {COST.format(row="old")} IS NOT {COST.format(row="new")}
    BEGIN
        DELETE FROM costs WHERE usd_micros = {COST.format(row="old")} AND task = old.id;
        {_ADD_COST}
    END""",  # noqa: S608 - ours
    # An index without its texts is told what to take out.
    f"""CREATE TRIGGER listed_deleted AFTER DELETE ON tasks WHEN json_valid(old.record) BEGIN
        INSERT INTO words (words, rowid, text)
            SELECT 'delete', n, {TEXT.format(row="old")} FROM listed WHERE task = old.id;
        DELETE FROM listed WHERE task = old.id;
        DELETE FROM labels
            WHERE task = old.id AND label IN (SELECT value FROM json_each(old.record, '$.task.labels'));
        DELETE FROM costs WHERE usd_micros = {COST.format(row="old")} AND task = old.id;
    END""",  # noqa: S608 - ours
    f"INSERT INTO meta (key, value) SELECT '{INDEXED_FROM}', '~' WHERE EXISTS (SELECT 1 FROM tasks)",  # noqa: S608 - ours
)
"""What lists find tasks by. Triggers keep it, so that it holds whichever release writes; tasks that are there already
are indexed in the background (`SqliteStore.index_earlier`): a million of them take some minutes, and no start waits.
"""
_SPENT = """
    ALTER TABLE deliveries ADD COLUMN tokens INTEGER;
    CREATE TABLE spent (
        day TEXT PRIMARY KEY, turns INTEGER NOT NULL, usd_micros INTEGER NOT NULL
    ) WITHOUT ROWID
"""
"""What a day cost, and how full a context was: the page asks for both at each look. Days before count from here on."""


_ASIDE = """
    CREATE TABLE aside (kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID
"""
"""Rows other than tasks that could not be read: those of `kind` session or notice, by their ids."""


_ROLES = """
    CREATE TABLE roles (role TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE kept (
        role TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL, content BLOB NOT NULL,
        PRIMARY KEY (role, name)
    )
"""
"""Who holds which role, and what its holders keep. With rowids: rows of megabytes do not belong into an index."""


_DAYS = """
    CREATE TABLE days (day TEXT PRIMARY KEY, sessions INTEGER NOT NULL, usd_micros INTEGER NOT NULL) WITHOUT ROWID
"""
"""What is used of a day's caps."""


CANCELLED_LEASED = "state = 'cancelled' AND json_valid(record) AND json_extract(record, '$.reserved') > 0"
_CANCELLED_LEASED = f"CREATE INDEX cancelled_leased ON tasks (id) WHERE {CANCELLED_LEASED}"
"""What was cancelled while it ran, until its session has ended: found without looking at all that is over."""


_TOLD = " || char(0) || ".join(
    f"coalesce(json_extract({{row}}.record, '{path}'), '')"
    for path in ("$.task.title", "$.description", "$.task.description")
)
_RETOLD = (
    # An alarm that is open gets another title. A claim and a heartbeat pay nothing here either.
    f"""CREATE TRIGGER listed_retold AFTER UPDATE OF record ON tasks
        WHEN new.state <> 'running' AND json_valid(old.record) AND json_valid(new.record)
            AND {_TOLD.format(row="old")} IS NOT {_TOLD.format(row="new")}
    BEGIN
        INSERT INTO words (words, rowid, text)
            SELECT 'delete', n, {TEXT.format(row="old")} FROM listed WHERE task = old.id;
        INSERT INTO words (rowid, text) SELECT n, {TEXT.format(row="new")} FROM listed WHERE task = new.id;
    END""",  # noqa: S608 - ours
    # Until now such a task stood in the index by its first title, and what took it out there left wrong counts.
    "INSERT INTO words (words) VALUES ('delete-all')",
    "DELETE FROM listed",
    f"INSERT OR REPLACE INTO meta (key, value) SELECT '{INDEXED_FROM}', '~' WHERE EXISTS (SELECT 1 FROM tasks)",  # noqa: S608 - ours
)
"""The index follows a text that changes; what is there is indexed anew, as by `_LISTS`."""


def _apply(sql: str) -> Callable[[sqlite3.Connection], None]:
    def step(connection: sqlite3.Connection) -> None:
        for statement in sql.split(";"):  # executescript would commit before its first statement
            connection.execute(statement)

    return step


def _large_values_aside(db: sqlite3.Connection) -> None:
    """Step 2: files, checkpoints and journals become blobs, a family's budget becomes a record of its own."""
    _apply(_SECOND)(db)
    for task_id, text, state, rank, suspended, lease_until, not_before in db.execute(
        "SELECT id, record, state, rank, suspended, lease_until, unixepoch(not_before) FROM tasks_1"
    ).fetchall():
        record = msgspec.json.decode(text)
        record["granted"] = record.pop("pool")
        record["digest"] = f"1:{record['digest']}"
        for role, listed in (("context", "context"), ("result", "files")):
            for info in record["task"].get(listed, []):
                info["sha256"] = _blob(db, _content(db, task_id, role, info["name"]))
        left = db.execute("SELECT content FROM checkpoints WHERE task = ?", (task_id,)).fetchone()
        record["checkpoint"] = _blob(db, left[0].encode()) if left else None
        session, ready_at = record.get("session"), {"running": lease_until, "queued": not_before}.get(state)
        db.execute(
            "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(task_id, record["root"], state, rank, suspended, ready_at, record["task"].get("dedupe_key")),
                *(session and session["id"], record["task"].get("fence", 0), msgspec.json.encode(record).decode()),
            ),
        )
    for (session,) in db.execute("SELECT DISTINCT session FROM events_1").fetchall():
        rows = db.execute("SELECT n, at, kind, data FROM events_1 WHERE session = ? ORDER BY n", (session,)).fetchall()
        events = [{"n": n, "at": at, "kind": kind, "data": msgspec.json.decode(data)} for n, at, kind, data in rows]
        sha256 = _blob(db, msgspec.json.encode(events))
        db.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?)", (session, rows[0][0], rows[-1][0], sha256))
    _apply(_THIRD)(db)


def _content(db: sqlite3.Connection, task_id: str, role: str, name: str) -> bytes:
    sql = "SELECT content FROM files WHERE task = ? AND role = ? AND name = ?"
    ((content,),) = db.execute(sql, (task_id, role, name)).fetchall()
    return bytes(content)


def _blob(db: sqlite3.Connection, content: bytes) -> str:
    db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (digest(content), content))
    return digest(content)


def _each(statements: Sequence[str]) -> Callable[[sqlite3.Connection], None]:
    def step(connection: sqlite3.Connection) -> None:
        for statement in statements:  # not by `_apply`: a trigger's body has semicolons of its own
            connection.execute(statement)

    return step


STEPS = (
    _apply(_FIRST),
    _large_values_aside,
    _apply(_EARLIER_SESSIONS),
    _apply(_FOURTH),
    _apply(_OUTBOX),
    _apply(_TOTALS),
    _apply(_RETENTION),
    _apply(_SPENT),
    _each(_LISTS),
    _apply(_ASIDE),
    _apply(_ROLES),
    _apply(_DAYS),
    _apply(_CANCELLED_LEASED),
    _each(_RETOLD),
)


def parts(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of all that a queue consists of: its tables, indexes and triggers."""
    return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_master"))


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the missing steps in one transaction; a second process waits and finds them applied. A newer schema is
    left as it is.
    """
    # IMMEDIATE: of two that open a file at once the second one waits, and finds the steps done.
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for step in STEPS[version:]:
        step(connection)
    if version < len(STEPS):  # or opening would write each time, which a full disk refuses
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
    connection.execute("COMMIT")

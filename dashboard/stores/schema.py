"""The SQLite schema as numbered steps that only add: the release before must run on the schema after.

The number of steps applied is the file's `user_version`. A step, once released, is never edited.
"""

import sqlite3

STEPS = (
    """
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
    CREATE INDEX successes ON sync_runs (n) WHERE outcome <> 'failed';
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the missing steps in one transaction; a second process waits and finds them applied. A newer schema is
    left as it is.
    """
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for step in STEPS[version:]:
        for statement in step.split(";"):  # executescript would commit before its first statement
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {max(version, len(STEPS))}")
    connection.execute("COMMIT")

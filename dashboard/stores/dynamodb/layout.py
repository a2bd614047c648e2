"""What is where in the table, and how a record becomes an item of at most a kilobyte. Pure.

One table with two sparse indexes. `queue` finds what is due: tasks that may be claimed, notices to be sent, cancelled
tasks that a host still holds. `states`
lists tasks by state, and notices by when they were sent. Their keys are spread over `SHARDS`, because a table takes
only so many writes a second under one key; a heartbeat changes no key of either, and so costs one unit.

    T#task      META, COLD#hash, C#child   its record, what of it is large, and who is of a root's family, whose budget
                is in the root's record
    SESSION#n   session                    whose it is; its record, once another session followed it
    J#session   first#fence                a batch of its journal, compressed
    SPENT#n     day#session                what a session's turns of a day used
    B#sha256    HEAD, generation#n, REF#task   a blob, its parts where it is large, and who named it
    K#key W#key KEY                        which task an Idempotency-Key made, and which does the work of a dedupe key
    N#task      id#target                  a notice;  M#message  pk#sk  is where to find those of a message
    ROLES       role                       who holds it;  KEPT  role#name  is what its holder keeps there, the content
    KEPT#role#name  generation#n           in parts
    DAYS        day                        what is used of its caps
    RUNS        n                          sync runs;  MARKS, ASIDE, SWEEP, CONFIG  small things by name
"""

import hashlib
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import fields

from dashboard.record import Record
from dashboard.stores.dynamodb.items import Item, Key
from wire.types import State, Task
from wire.values import Invalid, dump, read

QUEUE, STATES = "queue", "states"
"""The names of the indexes."""
GONE_AT = "gone"
"""The attribute by which DynamoDB deletes an item by itself, some time after that second since 1970."""
KEPT_DAYS = 40
"""How long after a day what is used of its caps is kept: an end after a long rest still gives back to it."""
# Never another number: under which key an item is follows from it, and what is there would not be found.
SHARDS = 4
FOLDED = 560
"""Bytes of a record in its item, compressed: with keys and indexes it stays below a kilobyte, the unit of a write."""
OTHER = "other"
"""Where tasks of a state are listed that only another release knows."""
KNOWN = (*(state.value for state in State), OTHER)
LEASED = "leased"
"""Where the queue's index has what was cancelled while it ran: few, for seconds, so that one key suffices."""
META = "META"
PROOF, RUN_COUNT, LAST_SUCCESS = Key("CONFIG", "proof"), Key("CONFIG", "runs"), Key("CONFIG", "success")
_RECORD, _TASK = (
    frozenset(each.encode_name for each in fields(kind) if each.default in (None, ())) for kind in (Record, Task)
)
"""Fields that are nothing where they are not written, in each release."""
TARGETS, IDENTITY, MOVING = Key("CONFIG", "targets"), Key("CONFIG", "id"), Key("CONFIG", "moving")


def definition(name: str) -> dict[str, Any]:
    """Return the arguments of `CreateTable`."""
    attributes = ("pk", "sk", "rq", "rs", "lk", "ls")
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in attributes],
        "KeySchema": _keys("pk", "sk"),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": QUEUE,
                "KeySchema": _keys("rq", "rs"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["ro", "go"]},
            },
            {"IndexName": STATES, "KeySchema": _keys("lk", "ls"), "Projection": {"ProjectionType": "KEYS_ONLY"}},
        ],
    }


def _keys(hashed: str, sorted_by: str) -> list[dict[str, str]]:
    return [{"AttributeName": hashed, "KeyType": "HASH"}, {"AttributeName": sorted_by, "KeyType": "RANGE"}]


def shard(name: str) -> int:
    """Return the shard of a task or a session."""
    return zlib.crc32(name.encode()) % SHARDS


def shards(kind: str) -> list[str]:
    """Return the keys of all shards of one kind."""
    return [f"{kind}#{number}" for number in range(SHARDS)]


def task_key(task_id: str) -> Key:
    """Where a task's record is."""
    return Key(f"T#{task_id}", META)


def cold_key(task_id: str, name: str) -> Key:
    """Where the large part of a record is."""
    return Key(f"T#{task_id}", f"COLD#{name}")


def child_key(root: str, task_id: str) -> Key:
    """Where a root's family has a member's name."""
    return Key(f"T#{root}", f"C#{task_id}")


def swept_key(task_id: str) -> Key:
    """Where it is noted that a task was deleted, until all that belonged to it is."""
    return Key("SWEEP", f"task#{task_id}")


def session_key(session_id: str) -> Key:
    """Where a session is."""
    return Key(f"SESSION#{shard(session_id)}", session_id)


def spent_key(session_id: str, day: str) -> Key:
    """Where it is kept what a session used on a day."""
    return Key(f"SPENT#{shard(session_id)}", f"{day}#{session_id}")


def gone_at(day: str) -> int:
    """Return when what is used of a day's caps is needed no more."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) + KEPT_DAYS * 86_400


def request_key(key: str) -> Key:
    """Where an Idempotency-Key is."""
    return Key(f"K#{key}", "KEY")


def work_key(dedupe_key: str) -> Key:
    """Where a dedupe key is."""
    return Key(f"W#{dedupe_key}", "KEY")


def indexed(record: Record) -> Item:
    """Return the attributes by which the indexes find a task; None where one of them does not."""
    task = record.task
    at = shard(task.id)
    state = task.state.value if task.state.is_known else OTHER
    found: Item = {"lk": f"{state}#{at}", "ls": task.id, "rq": None, "rs": None, "go": None}
    if task.state is State.CANCELLED and record.is_leased:
        return {**found, "rq": LEASED, "rs": task.id}
    if task.state is not State.QUEUED:
        return found
    rank = f"{9 - task.priority}#{task.id}"
    if record.ready_at is None:
        return {**found, "rq": f"{'resume' if record.goes_on else 'ready'}#{at}", "rs": rank}
    return {**found, "rq": f"due#{at}", "rs": f"{seconds(record.ready_at)}#{rank}", "go": int(record.goes_on)}


def seconds(at: float) -> str:
    """Write a time so that texts sort as times."""
    return f"{at:015.3f}"


def folded(record: Record) -> tuple[Item, bytes | None]:
    """Return the attributes that hold a record, and what was too large for its item, largest fields first.

    What each heartbeat changes stands by itself, so that the rest is written again only when it has changed.
    """
    whole = msgspec.json.decode(dump(record))
    beat, ttl_s = whole.pop("beat"), whole.pop("ttl_s")
    whole = {**_spare(whole, _RECORD), "task": _spare(whole["task"], _TASK)}
    cold: dict[str, Any] = {"task": {}}
    hot = _compressed(whole)
    for _, place, name in sorted(_sizes(whole), reverse=True):
        if len(hot) <= FOLDED:
            break
        taken_from, kept_in = (whole["task"], cold["task"]) if place else (whole, cold)
        kept_in[name] = taken_from.pop(name)
        hot = _compressed(whole)
    large = msgspec.json.encode(cold) if cold != {"task": {}} else None
    kept: Item = {"rec": hot, "beat": beat, "ttl": ttl_s}
    kept["cold"] = hashlib.sha256(large).hexdigest()[:16] if large else None
    return kept, zlib.compress(large) if large else None


def _spare(written: dict[str, Any], left_out: frozenset[str]) -> dict[str, Any]:
    """Leave out what says nothing: whoever reads it has the same in its place."""
    return {name: value for name, value in written.items() if value not in (None, []) or name not in left_out}


def _sizes(whole: dict[str, Any]) -> Iterable[tuple[int, int, str]]:
    for name, value in whole.items():
        if name != "task":
            yield len(msgspec.json.encode(value)), 0, name
    for name, value in whole["task"].items():
        yield len(msgspec.json.encode(value)), 1, name


def _compressed(value: Any) -> bytes:
    return zlib.compress(msgspec.json.encode(value), 9)


def unfolded(item: Item, large: bytes | None) -> Record:
    """Return the record that an item holds; raises `Invalid`."""
    try:
        whole = msgspec.json.decode(zlib.decompress(item["rec"]))
        if item.get("cold"):
            cold = msgspec.json.decode(zlib.decompress(large or b""))
            whole = {**whole, **cold, "task": {**whole["task"], **cold["task"]}}
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise Invalid("record", f"is damaged: {error}") from error
    return read(Record, msgspec.json.encode({**whole, "beat": item.get("beat", 0), "ttl_s": item.get("ttl")}))

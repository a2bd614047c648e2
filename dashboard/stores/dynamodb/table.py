"""The calls to one DynamoDB table, by boto3's client, and what its errors mean.

There is no scan among them: each read names its key.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dashboard.record import Busy, Unready
from dashboard.stores.dynamodb.items import Item, Key, Write, batches, delete, packed, plain, put

_BUSY = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "ThrottlingError",
        "TransactionInProgressException",
    }
)
"""Errors after which the same call may succeed a moment later."""
_BEATEN = frozenset(
    {"ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
"""Why a transaction was cancelled, where another try from a new read may succeed."""
CALLS = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}
TRIES = 30
"""How often a write is tried when others come first; each time one of them succeeds."""


class Table:
    """See the module. `pause` waits for so many seconds between two tries."""

    def __init__(self, client: Any, name: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self.name = name
        self._pause = pause

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _BUSY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
                raise Busy(f"DynamoDB refuses for now ({code}): try again in a moment") from error
            raise Unready(f"the table {self.name} cannot be used ({code}): {error}") from error
        except BotoCoreError as error:
            text = f"DynamoDB did not answer ({error}): whether it wrote is unknown, and asking again is safe"
            raise Busy(text) from error

    def tries(self) -> Iterator[int]:
        """Count the tries of one write, with growing random pauses; raises `Busy` when others always come first."""
        for number in range(TRIES):
            if number:
                self._pause(random.uniform(0, min(0.5, 0.005 * 2**number)))  # noqa: S311 - no secret
            yield number
        raise Busy("others change the same task all the time: try again in a moment")

    def get(self, key: Key) -> Item | None:
        """Return an item as it is now."""
        with self._explained():
            found = self._client.get_item(TableName=self.name, Key=packed(key._asdict()), ConsistentRead=True)
        return plain(found["Item"]) if "Item" in found else None

    def get_all(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Return those of these items that are there, as they are now."""
        found: dict[Key, Item] = {}
        for batch in batches([*dict.fromkeys(keys)], 100):
            wanted: Any = {self.name: {"Keys": [packed(key._asdict()) for key in batch], "ConsistentRead": True}}
            for _ in self.tries():
                with self._explained():
                    answer = self._client.batch_get_item(RequestItems=wanted)
                items = [plain(each) for each in answer["Responses"].get(self.name, ())]
                found |= {Key(each["pk"], each["sk"]): each for each in items}
                # Beyond 16 MB, or what was throttled.
                wanted = answer.get("UnprocessedKeys")
                if not wanted:
                    break
        return found

    def query(  # noqa: PLR0913 - the parts of a query
        self,
        key: str,
        *,
        index: str | None = None,
        first: str = "",
        last: str = "",
        newest_first: bool = False,
        fields: Sequence[str] = (),
        page: int | None = None,
    ) -> Iterator[Item]:
        """Yield the items under a key, of an index or of the table itself, whose sort key is from `first` to `last`,
        both included; each page of them is read when it is asked for.
        """
        hashed, sorted_by = {"queue": ("rq", "rs"), "states": ("lk", "ls")}.get(index or "", ("pk", "sk"))
        asked: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "#h = :h AND #s BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#h": hashed, "#s": sorted_by, **{f"#f{n}": n for n in fields}},
            # A sort key must not be empty, and none of ours is beyond ASCII.
            "ExpressionAttributeValues": packed({":h": key, ":first": first or "!", ":last": last or "~~~"}),
            "ScanIndexForward": not newest_first,
        }
        if (first or "!") > (last or "~~~"):
            return
        asked |= {"IndexName": index} if index else {"ConsistentRead": True}
        asked |= {"ProjectionExpression": ", ".join(f"#f{n}" for n in fields)} if fields else {}
        asked |= {"Limit": page} if page else {}
        while True:
            with self._explained():
                answer = self._client.query(**asked)
            yield from (plain(each) for each in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def count(self, key: str, *, index: str | None = None, first: str = "", last: str = "") -> int:
        """Return how many items are under a key."""
        return sum(1 for _ in self.query(key, index=index, first=first, last=last, fields=("pk",)))

    def write(self, write: Write, nonce: str | None = None) -> bool:
        """Write one item; return whether its condition held. Where the item carries the `nonce` all the same, it was
        this write that an answer was lost of.
        """
        asked = write.request(self.name)
        if write.only_if:
            asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        with self._explained():
            try:
                getattr(self._client, CALLS[write.what])(**asked)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "TransactionConflictException":
                    return False
                if code != "ConditionalCheckFailedException":
                    raise
                return nonce is not None and nonce in _nonces(plain(error.response.get("Item") or {}))
        return True

    def write_all(self, writes: Sequence[Write], nonce: str) -> bool:
        """Write several items, all or none; return whether all conditions held. Sent again under its `nonce` within ten
        minutes it is not done again.
        """
        items = [{write.what: write.request(self.name)} for write in writes]
        with self._explained():
            try:
                self._client.transact_write_items(TransactItems=items, ClientRequestToken=nonce)
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                reasons = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", ())}
                if not reasons & _BEATEN:
                    raise
                return False
        return True

    def put_all(self, items: Mapping[Key, Item]) -> None:
        """Put items that nothing else writes at the same time; some may be there before others."""
        self._batch([{"PutRequest": {"Item": put(key, item).request("")["Item"]}} for key, item in items.items()])

    def delete_all(self, keys: Iterable[Key]) -> None:
        """Delete items that nothing else writes at the same time."""
        self._batch([{"DeleteRequest": {"Key": delete(key).request("")["Key"]}} for key in dict.fromkeys(keys)])

    def _batch(self, requests: Sequence[Any]) -> None:
        for batch in batches(requests, 25):
            wanted: Any = {self.name: list(batch)}
            for _ in self.tries():
                with self._explained():
                    wanted = self._client.batch_write_item(RequestItems=wanted).get("UnprocessedItems")
                if not wanted:
                    break

    def delete_under(self, key: str) -> None:
        """Delete all items under a key."""
        self.delete_all(Key(key, item["sk"]) for item in [*self.query(key, fields=("sk",))])


def _nonces(item: Item) -> Sequence[Any]:
    """Those of an item's last writes, and of those that changed a family's budget (`families`)."""
    return (*item.get("w", ()), item.get("bn"), *item.get("pb", ())[:1])

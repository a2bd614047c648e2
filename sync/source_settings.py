"""What the operator says of the booking system: the section [sync.source], and the table [sync.fields]."""

from typing import Annotated, Literal

from msgspec import Meta, field

from wire.addresses import Url
from wire.values import Value

Path = Annotated[str, Meta(max_length=200, description="a path like guest.name")]
"""Where a value stands: keys and list places joined by dots; a key that itself has dots is found too."""
# RFC 9110, 5.1.
Header = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z", description="the name of a header")]
Word = Annotated[str, Meta(pattern=r"^.+\Z", max_length=200, description="a text, not empty")]
ROW = "#"
"""The path that means the record's place in the file, from 1: for files whose records have no id."""


class Field(Value, frozen=True, kw_only=True):
    """One column: where its value stands in a record, and what it is.

    Several paths are joined by a space. `format` is one of strptime's, or `iso`, or for an instant `epoch`, `epoch_ms`.
    `zone` is the time zone that an instant is shown in, and that a date is taken in when its value is an instant.
    `scale` says how many digits of a whole amount stand behind the point: 2 for cents.
    """

    path: Path | tuple[Path, ...]
    type: Literal["plain", "text", "date", "instant", "money", "integer", "yes_no"] = "plain"
    format: str = "iso"
    zone: str = ""
    scale: Annotated[int, Meta(ge=0, le=9)] = 0
    decimal_mark: Literal[".", ","] = "."
    prefix: Annotated[str, Meta(max_length=20)] = ""
    optional: bool = False


class Paging(Value, frozen=True, kw_only=True):
    """How to ask for more than the first page, and how to know the last one.

    page, offset: a number in `param`, its size in `size_param`; cursor: the text at `next` is sent as `param`;
    next_url: the address at `next`; link: the `Link` header's rel=next; none: one answer holds all.
    """

    kind: Literal["none", "page", "offset", "cursor", "next_url", "link"] = "none"
    param: str = ""
    first: Annotated[int, Meta(ge=0, le=1)] = 1
    size_param: str = ""
    size: Annotated[int, Meta(ge=1, le=10_000)] = 100
    next: Path = ""
    total: Path = ""
    has_more: Path = ""


class Window(Value, frozen=True, kw_only=True):
    """The names of the parameters that carry sync.window_from and window_to, how a day is written in them, and the
    days of one question (0: the whole window in one). `to_excluded`: the system leaves the last day out.
    """

    from_param: str = ""
    to_param: str = ""
    format: str = "%Y-%m-%d"
    to_excluded: bool = False
    slice_days: Annotated[int, Meta(ge=0, le=3660)] = 0


class Exchange(Value, frozen=True, kw_only=True):
    """How the secret bookings_token is exchanged for the token that the calls carry; kept on disk while it lives.

    `secret_field` is the field of the form that carries the secret. `again_s`: where the system refuses the token that
    it gave, so many seconds after that exchange the next: 18,000 are five a day.
    """

    url: Url
    secret_field: Word = "client_secret"  # noqa: S105 - a name, not a secret
    form: dict[str, str] = field(default_factory=dict)
    json: bool = False
    token: Path = "access_token"  # noqa: S105 - a path, not a secret
    lives: Path = "expires_in"
    lives_s: Annotated[int, Meta(ge=60, le=31_536_000)] = 3600
    again_s: Annotated[int, Meta(ge=0, le=86_400)] = 18_000


class Cancelled(Value, frozen=True, kw_only=True):
    """Records whose value at `path` is one of `words` count as bookings that are gone."""

    path: Path
    words: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50)]


class Records(Value, frozen=True, kw_only=True):
    """What every kind has: texts that mean nothing, and the status that means cancelled."""

    missing: tuple[str, ...] = ()
    cancelled: Cancelled | None = None


class Http(Records, frozen=True, kw_only=True, tag_field="kind", tag="http"):
    """An HTTP API with JSON answers. `header_value` is what `header` is filled with, `{secret}` in it the secret
    bookings_token, or the token exchanged for it; "" sends none. `parameters` are sent with every question, in the
    query or, with `in_body`, in a JSON body by POST, where a name like `page.number` stands inside the object `page`.
    """

    url: Url
    records: Path = ""
    header: Header = "Authorization"
    header_value: str = "Bearer {secret}"
    parameters: dict[str, str | int | bool] = field(default_factory=dict)
    in_body: bool = False
    pace_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    paging: Paging = field(default_factory=Paging)
    window: Window = field(default_factory=Window)
    exchange: Exchange | None = None


class File(Records, frozen=True, kw_only=True, tag_field="kind", tag="file"):
    """A file on the host. `max_age_hours` refuses one that was not written for so long; 0 takes any."""

    path: Word
    format: Literal["csv", "json", "jsonl"]
    records: Path = ""
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    encoding: Word = "utf-8-sig"
    max_age_hours: Annotated[int, Meta(ge=0, le=8760)] = 0


class Command(Records, frozen=True, kw_only=True, tag_field="kind", tag="command"):
    """A program on the host that prints a record a line as JSON and ends with `{"complete": N}`, N being their count.

    It gets the secret bookings_token as the one line of its standard input.
    """

    command: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=100)]
    timeout_s: Annotated[int, Meta(ge=1, le=900)] = 300


Source = Http | File | Command
KINDS: dict[str, type[Http | File | Command]] = {"http": Http, "file": File, "command": Command}

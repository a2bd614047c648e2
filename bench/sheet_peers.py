"""What a program does with a sheet by each peer, run in a process of its own: `python -m bench.sheet_peers PEER PHASE`.

`first` fills an empty tab, `same` finds that nothing changed, `some` writes what did, as each peer's users do it. The
bookings come as JSON on standard input: the columns, then the rows, then what the sheet held before.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_GOOGLE = "https://sheets.googleapis.com"
Rows = Sequence[Sequence[Any]]


def main() -> None:
    """Read what is to be done, and do it."""
    peer, phase, url, spreadsheet = sys.argv[1:5]
    given = json.load(sys.stdin)
    PEERS[peer](phase, url, spreadsheet, given)


def _gspread(phase: str, url: str, spreadsheet: str, given: Mapping[str, Any]) -> None:
    tab = _worksheet(url, spreadsheet, given["token"])
    rows = [given["columns"], *given["rows"]]
    if phase == "first":
        _fill(tab, rows)
        return
    held = tab.get_all_values(value_render_option="UNFORMATTED_VALUE")
    changed = [(n, row) for n, row in enumerate(rows, start=1) if _texts(row) != _texts(held[n - 1])]
    if changed:
        tab.batch_update([{"range": f"A{n}", "values": [row]} for n, row in changed], value_input_option="RAW")


def _fill(tab: Any, rows: Rows) -> None:
    tab.clear()
    tab.resize(len(rows), len(rows[0]))
    tab.update(rows, "A1", value_input_option="RAW")


def _dataframe(phase: str, url: str, spreadsheet: str, given: Mapping[str, Any]) -> None:
    import pandas as pd  # noqa: PLC0415 - only this peer's process pays for it
    from gspread_dataframe import get_as_dataframe, set_with_dataframe  # noqa: PLC0415

    tab = _worksheet(url, spreadsheet, given["token"])
    wanted = pd.DataFrame(given["rows"], columns=given["columns"])
    if phase != "first":
        held = get_as_dataframe(tab, value_render_option="UNFORMATTED_VALUE").fillna("")
        if held.astype(str).equals(wanted.fillna("").astype(str)):
            return
    set_with_dataframe(tab, wanted, resize=True)


def _pygsheets(phase: str, url: str, spreadsheet: str, given: Mapping[str, Any]) -> None:
    import httplib2  # noqa: PLC0415 - only this peer's process pays for it
    import pygsheets  # noqa: PLC0415
    from google.oauth2.credentials import Credentials  # noqa: PLC0415

    class Detour(httplib2.Http):  # type: ignore[misc]  # no types
        def request(self, uri: str, *args: Any, **how: Any) -> Any:
            return super().request(uri.replace(_GOOGLE, url), *args, **how)

    login = Credentials(token=given["token"])  # type: ignore[no-untyped-call]
    tab = pygsheets.authorize(custom_credentials=login, http=Detour()).open_by_key(spreadsheet)[0]
    rows = [given["columns"], *given["rows"]]
    if phase == "first":
        tab.resize(len(rows) + 2, len(rows[0]) + 1)  # it names ranges that are a little too large
        tab.update_values("A1", rows, parse=False)
        return
    held = tab.get_all_values(value_render="UNFORMATTED_VALUE", include_tailing_empty=False)
    changed = [(n, row) for n, row in enumerate(rows, start=1) if _texts(row) != _texts(held[n - 1])]
    if changed:
        tab.update_values_batch([f"A{n}" for n, _ in changed], [[row] for _, row in changed], parse=False)


def _worksheet(url: str, spreadsheet: str, token: str) -> Any:
    import gspread  # noqa: PLC0415 - only its own processes pay for it
    from google.oauth2.credentials import Credentials  # noqa: PLC0415
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    class Detour(HTTPAdapter):
        def send(self, request: Any, *args: Any, **how: Any) -> Any:
            request.url = request.url.replace(_GOOGLE, url)
            return super().send(request, *args, **how)

    client = gspread.Client(auth=Credentials(token=token))  # type: ignore[no-untyped-call]
    client.http_client.session.mount(_GOOGLE, Detour())
    return client.open_by_key(spreadsheet).get_worksheet(0)


def _texts(row: Sequence[Any]) -> list[str]:
    cells = [str(cell) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


PEERS: Mapping[str, Callable[[str, str, str, Mapping[str, Any]], None]] = {
    "gspread": _gspread,
    "gspread-dataframe": _dataframe,
    "pygsheets": _pygsheets,
}

if __name__ == "__main__":
    main()

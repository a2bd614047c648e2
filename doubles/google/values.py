"""The calls under spreadsheets.values: reading and writing plain values."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from doubles.google.area import Area
from doubles.google.book import Book, Sheet
from doubles.google.call import Call
from doubles.google.entry import enter
from doubles.google.errors import invalid
from doubles.google.ranges import exceeds, find, find_filter, letters, name
from doubles.google.render import show

Answer = dict[str, Any]
Target = tuple[Sheet, Area]


def get(call: Call) -> Answer:
    """Read one range."""
    return _read(find(call.book, call.path["range"]), call.query)


def batch_get_by_filter(call: Call) -> Answer:
    """Read several ranges, each chosen by a DataFilter: by a sheet's id, which outlives its title."""
    ranges = [
        {"valueRange": _read(find_filter(call.book, chosen), call.body), "dataFilters": [chosen]}
        for chosen in call.body.get("dataFilters", [])
    ]
    return _about(call.book, valueRanges=ranges)


def update(call: Call) -> Answer:
    """Write one range."""
    _same_range(call)
    return _update(call.book, find(call.book, call.path["range"], write=True), call.body, call.query)


def batch_update(call: Call) -> Answer:
    """Write several ranges."""
    data = call.body.get("data", [])
    return _updates(call, [find(call.book, item.get("range", ""), write=True) for item in data], data)


def clear(call: Call) -> Answer:
    """Clear the values of one range; formats and notes stay."""
    return _about(call.book, clearedRange=_clear(find(call.book, call.path["range"])))


def batch_clear(call: Call) -> Answer:
    """Clear the values of several ranges."""
    return _about(call.book, clearedRanges=[_clear(find(call.book, text)) for text in call.body.get("ranges", [])])


def append(call: Call) -> Answer:
    """Write below the last table in a range; the grid grows as needed."""
    _same_range(call)
    rows = _rows(call.body)
    sheet, area = find(call.book, call.path["range"])
    table = _table(sheet, area)
    top, left = (table.bottom, table.left) if table else (area.top, area.left)
    width = max((len(row) for row in rows), default=0)
    if call.query.get("insertDataOption") == "INSERT_ROWS" and table and rows:
        sheet.insert("ROWS", top, len(rows), like_before=True)
    sheet.resize(max(len(sheet.rows), top + len(rows)), max(sheet.columns, left + width))
    call.book.check_size()
    target = Area(top, left, top + max(len(rows), 1), left + max(width, 1))
    answer = _about(call.book, updates=_update(call.book, (sheet, target), call.body, call.query))
    return answer | ({"tableRange": name(sheet, table)} if table else {})


def _about(book: Book, **more: Any) -> Answer:
    return {"spreadsheetId": book.id, **more}


def _read(target: Target, options: Mapping[str, Any]) -> Answer:
    """Return a ValueRange, without the empty rows and cells at its end."""
    sheet, area = target
    option = options.get("valueRenderOption", "FORMATTED_VALUE")
    dates = options.get("dateTimeRenderOption", "SERIAL_NUMBER")
    rows = [_read_row(sheet, number, area, option, dates) for number in range(area.top, area.bottom)]
    # Trailing empty rows and cells are left out by Google: a reader must not count on a rectangle.
    while rows and not rows[-1]:
        rows.pop()
    columns = options.get("majorDimension") == "COLUMNS"
    answer: Answer = {"range": name(sheet, area), "majorDimension": "COLUMNS" if columns else "ROWS"}
    return answer | ({"values": _turned(rows) if columns else rows} if rows else {})


def _read_row(sheet: Sheet, number: int, area: Area, option: str, dates: str) -> list[Any]:
    row = sheet.rows[number]
    used = [column for column, cell in row.items() if cell.value is not None and column in area.columns]
    if not used:
        return []
    values: list[Any] = [""] * (max(used) + 1 - area.left)
    for column in used:
        values[column - area.left] = show(row[column], option, dates)
    return values


def _turned(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return columns for rows, each without the empty cells at its end."""
    columns = [list(column) for column in zip_longest(*rows, fillvalue="")]
    for column in columns:
        while column and column[-1] == "":
            column.pop()
    return columns


def _same_range(call: Call) -> None:
    if call.body.get("range") not in (None, call.path["range"]):
        raise invalid(f"Requested update in range {call.path['range']}, but the body is for {call.body['range']}")


def _rows(body: Mapping[str, Any]) -> list[list[Any]]:
    """Return a ValueRange's values as rows; a null leaves its cell as it is."""
    rows = body.get("values") or []
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise invalid(f"Invalid value at 'data.values[{number}]' (type.googleapis.com/google.protobuf.ListValue)")
    if body.get("majorDimension") == "COLUMNS":
        return [list(row) for row in zip_longest(*rows)]
    return list(rows)


def _updates(call: Call, targets: Sequence[Target], data: Sequence[Mapping[str, Any]]) -> Answer:
    responses = [_update(call.book, target, item, call.body) for target, item in zip(targets, data, strict=True)]
    totals = {f"totalU{key[1:]}": sum(r[key] for r in responses) for key in _COUNTS}
    return _about(call.book, **totals, totalUpdatedSheets=len({sheet.id for sheet, _ in targets}), responses=responses)


_COUNTS = ("updatedRows", "updatedColumns", "updatedCells")


def _update(book: Book, target: Target, body: Mapping[str, Any], options: Mapping[str, Any]) -> Answer:
    """Write a ValueRange and return an UpdateValuesResponse."""
    option = options.get("valueInputOption", "INPUT_VALUE_OPTION_UNSPECIFIED")
    if option == "INPUT_VALUE_OPTION_UNSPECIFIED":
        raise invalid("'valueInputOption' is required but not specified")
    sheet, area = target
    rows = _rows(body)
    place = _fit(sheet, area, rows)
    written = [
        (area.top + down, area.left + right, value)
        for down, row in enumerate(rows)
        for right, value in enumerate(row)
        if value is not None
    ]
    for row, column, value in written:
        sheet.put(row, column, enter(sheet.cell(row, column), value, option))
    counts = (len({row for row, _, _ in written}), len({column for _, column, _ in written}), len(written))
    answer = _about(book, updatedRange=name(sheet, place), **dict(zip(_COUNTS, counts, strict=True)))
    if options.get("includeValuesInResponse"):
        shown = {
            "valueRenderOption": options.get("responseValueRenderOption", "FORMATTED_VALUE"),
            "dateTimeRenderOption": options.get("responseDateTimeRenderOption", "SERIAL_NUMBER"),
        }
        answer["updatedData"] = _read((sheet, place), shown)
    return answer


def _fit(sheet: Sheet, area: Area, rows: Sequence[Sequence[Any]]) -> Area:
    """Return where values come to lie: within the range, or right and down from a single cell. Raises `GoogleError`."""
    height, width = len(rows), max((len(row) for row in rows), default=0)
    if not width:
        return area
    place = Area(area.top, area.left, area.top + height, area.left + width)
    if not area.single and place.bottom > area.bottom:
        raise invalid(_overrun(sheet, area, f"row [{area.bottom + 1}]"))
    if not area.single and place.right > area.right:
        raise invalid(_overrun(sheet, area, f"column [{letters(area.right)}]"))
    if place.bottom > len(sheet.rows) or place.right > sheet.columns:
        raise exceeds(sheet, place)
    return place


def _overrun(sheet: Sheet, area: Area, where: str) -> str:
    return f"Requested writing within range [{name(sheet, area)}], but tried writing to {where}"


def _clear(target: Target) -> str:
    sheet, area = target
    for row, column in list(sheet.used(area)):
        sheet.put(row, column, enter(sheet.cell(row, column), "", "RAW"))
    return name(sheet, area)


def _table(sheet: Sheet, area: Area) -> Area | None:
    """Return the last table that an area meets: cells that touch each other, with all that lies between them."""
    tables = [table for table in tables_of(sheet) if table.meets(area)]
    return max(tables, key=lambda table: (table.bottom, table.right), default=None)


def tables_of(sheet: Sheet) -> list[Area]:
    """Return the tables of a sheet: rectangles that blank rows or columns keep apart."""
    found: list[Area] = []
    for row, column in sorted(sheet.used(sheet.whole)):
        one = Area(row, column, row + 1, column + 1)
        # What touches it, by a side or a corner, becomes one with it, again and again.
        while near := [each for each in found if _around(one).meets(each)]:
            found = [each for each in found if each not in near]
            for each in near:
                one = Area(
                    min(one.top, each.top),
                    min(one.left, each.left),
                    max(one.bottom, each.bottom),
                    max(one.right, each.right),
                )
        found.append(one)
    return found


def _around(area: Area) -> Area:
    return Area(area.top - 1, area.left - 1, area.bottom + 1, area.right + 1)


READING: Mapping[str, Callable[[Call], Answer]] = {
    "spreadsheets.values.get": get,
    "spreadsheets.values.batchGetByDataFilter": batch_get_by_filter,
}
WRITING: Mapping[str, Callable[[Call], Answer]] = {
    "spreadsheets.values.update": update,
    "spreadsheets.values.batchUpdate": batch_update,
    "spreadsheets.values.clear": clear,
    "spreadsheets.values.batchClear": batch_clear,
    "spreadsheets.values.append": append,
}

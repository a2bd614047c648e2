"""Sheets v4, driven by gspread and by Google's own generated client."""

import subprocess
import sys

import gspread
import gspread.http_client
import gspread.urls
import httpx
import pytest
from bs4 import BeautifulSoup
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from requests.adapters import HTTPAdapter

from doubles.google import services
from local import serve
from tests.plain import HTTP, client_of

GOOGLE = "https://sheets.googleapis.com"


class Detour(HTTPAdapter):
    """Sends what gspread addresses to Google to the double."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, request, **options):
        request.url = request.url.replace(GOOGLE, self.url)
        return super().send(request, **options)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serve.running(services.create(tmp_path_factory.mktemp("google"))) as url:
        yield url


@pytest.fixture(autouse=True)
def _no_faults(raw):
    yield
    raw.delete("/_local/faults")


@pytest.fixture(scope="module")
def credentials(url):
    info = HTTP.post(f"{url}/_local/tokens").json()
    return Credentials.from_authorized_user_info(info).with_token_uri(info["token_uri"])


@pytest.fixture(scope="module")
def service(url, credentials):
    """Google's client, made from Google's description: it refuses what the API does not have by itself."""
    with build(
        "sheets", "v4", credentials=credentials, static_discovery=True, client_options={"api_endpoint": url}
    ) as made:
        yield made.spreadsheets()


@pytest.fixture
def key(service):
    return service.create(body={"properties": {"title": "Bookings"}}).execute()["spreadsheetId"]


@pytest.fixture
def worksheet(url, credentials, key):
    client = gspread.Client(auth=credentials)
    client.set_timeout((5, 10))
    client.http_client.session.mount(GOOGLE, Detour(url))
    return client.open_by_key(key).sheet1


@pytest.fixture(scope="module")
def raw(url, credentials):
    with client_of(url, headers={"Authorization": f"Bearer {credentials.token}"}, timeout=60) as client:
        yield client


def write(service, key, rows, where="Sheet1!A1", option="RAW"):
    values = service.values()
    return values.update(spreadsheetId=key, range=where, valueInputOption=option, body={"values": rows}).execute()


def read(service, key, where="Sheet1", option="UNFORMATTED_VALUE"):
    return service.values().get(spreadsheetId=key, range=where, valueRenderOption=option).execute().get("values", [])


def change(service, key, *requests):
    return service.batchUpdate(spreadsheetId=key, body={"requests": list(requests)}).execute()


def refusal(call):
    with pytest.raises(HttpError) as caught:
        call()
    return caught.value.status_code, caught.value.reason


def test_gspread_reads_what_it_wrote(worksheet):
    worksheet.update([["id", "guest"], ["J1", "=1+1"], ["J2", "Zoë"]], "A1")
    assert worksheet.get_all_records() == [{"id": "J1", "guest": "=1+1"}, {"id": "J2", "guest": "Zoë"}]
    worksheet.append_row(["J3", "Åsa"])
    worksheet.insert_row(["J0", "first"], 2)
    worksheet.delete_rows(3)
    assert worksheet.col_values(1) == ["id", "J0", "J2", "J3"]
    assert worksheet.find("Zoë").address == "B3"
    worksheet.batch_clear(["B2:B4"])
    assert worksheet.get_all_values() == [["id", "guest"], ["J0", ""], ["J2", ""], ["J3", ""]]


def test_gspread_shapes_worksheets(worksheet):
    book = worksheet.spreadsheet
    other = book.add_worksheet("Arrivals", rows=3, cols=2)
    other.update_title("Arrivals & more")
    other.freeze(rows=1)
    other.resize(rows=5)
    worksheet.format("A1:B2", {"numberFormat": {"type": "NUMBER", "pattern": "0.00"}, "textFormat": {"bold": True}})
    found = book.worksheet("Arrivals & more")
    assert (found.row_count, found.col_count, found.frozen_row_count) == (5, 2, 1)
    book.del_worksheet(found)
    assert [sheet.title for sheet in book.worksheets()] == ["Sheet1"]
    with pytest.raises(gspread.WorksheetNotFound):
        book.worksheet("Arrivals")


def test_raw_keeps_a_leading_equals_sign_and_user_entered_runs_it(service, key):
    write(service, key, [["=1+1"]])
    write(service, key, [["=1+1"]], "Sheet1!B1", "USER_ENTERED")
    assert read(service, key, option="FORMULA") == [["=1+1", "=1+1"]]
    fields = "sheets.data.rowData.values.userEnteredValue"
    got = service.get(spreadsheetId=key, ranges=["Sheet1!A1:B1"], fields=fields).execute()
    assert got["sheets"][0]["data"][0]["rowData"][0]["values"] == [
        {"userEnteredValue": {"stringValue": "=1+1"}},
        {"userEnteredValue": {"formulaValue": "=1+1"}},
    ]


def test_update_cells_enters_a_formula_only_as_such(service, key):
    values = [{"userEnteredValue": {"stringValue": "=A1"}}, {"userEnteredValue": {"formulaValue": "=A1"}}]
    change(service, key, {"updateCells": {"start": {}, "rows": [{"values": values}], "fields": "userEnteredValue"}})
    assert read(service, key) == [["=A1", "Loading..."]]
    assert read(service, key, option="FORMULA") == [["=A1", "=A1"]]


def test_null_skips_a_cell_and_an_empty_text_clears_it(service, key):
    write(service, key, [["a", "b", "c"]])
    answer = write(service, key, [[None, "", "C"]])
    assert read(service, key) == [["a", "", "C"]]
    assert (answer["updatedRange"], answer["updatedCells"]) == ("Sheet1!A1:C1", 2)


def test_empty_ends_of_rows_and_of_the_range_are_left_out(service, key):
    write(service, key, [["a", "", "c"], [], ["", "b"]])
    assert read(service, key) == [["a", "", "c"], [], ["", "b"]]
    assert read(service, key, "Sheet1!D1:F9") == []
    columns = service.values().get(spreadsheetId=key, range="Sheet1", majorDimension="COLUMNS").execute()
    assert columns["values"] == [["a"], ["", "", "b"], ["c"]]


def test_a_batch_writes_every_range_or_none(service, key):
    data = [{"range": "Sheet1!A1", "values": [["a"]]}, {"range": "Sheet1!A1001", "values": [["b"]]}]
    body = {"valueInputOption": "RAW", "data": data}
    status, reason = refusal(service.values().batchUpdate(spreadsheetId=key, body=body).execute)
    assert (status, reason) == (400, "Range (Sheet1!A1001) exceeds grid limits. Max rows: 1000, max columns: 26")
    assert read(service, key) == []


def test_values_that_do_not_fit_their_range_are_refused(service, key):
    assert refusal(lambda: write(service, key, [["a"], ["b"]], "Sheet1!A1:B1"))[1] == (
        "Requested writing within range [Sheet1!A1:B1], but tried writing to row [2]"
    )
    assert "but tried writing to column [C]" in refusal(lambda: write(service, key, [list("abc")], "Sheet1!A1:B1"))[1]
    assert "exceeds grid limits" in refusal(lambda: write(service, key, [["a"], ["b"]], "Sheet1!A1000"))[1]


def test_a_range_is_found_by_the_sheets_id_after_it_was_renamed(service, key):
    write(service, key, [["a", "b"], ["c", "d"]])
    titled = {"properties": {"sheetId": 0, "title": "Renamed"}, "fields": "title"}
    change(service, key, {"updateSheetProperties": titled})
    chosen = {"gridRange": {"sheetId": 0, "startRowIndex": 1}}
    call = service.values().batchGetByDataFilter(spreadsheetId=key, body={"dataFilters": [chosen]})
    (found,) = call.execute()["valueRanges"]
    assert (found["valueRange"]["range"], found["valueRange"]["values"]) == ("Renamed!A2:Z1000", [["c", "d"]])


def test_appending_finds_the_last_table_and_grows_the_grid(service, key):
    change(
        service,
        key,
        {
            "updateSheetProperties": {
                "properties": {"gridProperties": {"rowCount": 4}},
                "fields": "gridProperties.rowCount",
            }
        },
    )
    write(service, key, [["x"], [], ["", "a", "b"], ["", "c", "d"]])
    call = {"spreadsheetId": key, "range": "Sheet1", "valueInputOption": "RAW"}
    answer = service.values().append(**call, body={"values": [["e", "f"], ["g", "h"]]}).execute()
    assert (answer["tableRange"], answer["updates"]["updatedRange"]) == ("Sheet1!B3:C4", "Sheet1!B5:C6")
    assert read(service, key)[4:] == [["", "e", "f"], ["", "g", "h"]]


def test_cleared_values_leave_their_formats(service, key):
    look = {"userEnteredFormat": {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}}
    area = {"startRowIndex": 0, "endRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 1}
    change(service, key, {"repeatCell": {"range": area, "cell": look, "fields": "userEnteredFormat.numberFormat"}})
    write(service, key, [[46327]])
    assert read(service, key, option="FORMATTED_VALUE") == [["2026-11-01"]]
    service.values().clear(spreadsheetId=key, range="Sheet1!A1:B2", body={}).execute()
    write(service, key, [[46328]])
    assert read(service, key, option="FORMATTED_VALUE") == [["2026-11-02"]]


def test_requests_are_carried_out_in_order(service, key):
    cells = [{"values": [{"userEnteredValue": {"stringValue": "=x"}}, {"userEnteredValue": {"numberValue": 2.5}}]}]
    rows = {"sheetId": 0, "dimension": "ROWS"}
    answer = change(
        service,
        key,
        {"addSheet": {"properties": {"title": "Log", "index": 0}}},
        {"updateCells": {"start": {"rowIndex": 1, "columnIndex": 1}, "rows": cells, "fields": "userEnteredValue"}},
        {"insertDimension": {"range": {**rows, "startIndex": 1, "endIndex": 3}, "inheritFromBefore": True}},
        {"deleteDimension": {"range": {**rows, "startIndex": 0, "endIndex": 2}}},
        {"appendDimension": {**rows, "length": 10}},
    )
    assert answer["replies"][0]["addSheet"]["properties"]["sheetId"] == 1
    assert read(service, key) == [[], ["", "=x", 2.5]]
    sheets = service.get(spreadsheetId=key).execute()["sheets"]
    assert [s["properties"]["title"] for s in sheets] == ["Log", "Sheet1"]
    assert sheets[1]["properties"]["gridProperties"]["rowCount"] == 1010


def test_one_bad_request_undoes_the_whole_batch(service, key):
    cells = {"start": {}, "rows": [{"values": [{"userEnteredValue": {"boolValue": True}}]}], "fields": "*"}
    far = {"sheetId": 0, "dimension": "ROWS", "startIndex": 5000, "endIndex": 5001}
    requests = [{"updateCells": cells}, {"deleteDimension": {"range": far}}]
    status, reason = refusal(lambda: change(service, key, *requests))
    assert status == 400
    assert reason.startswith("Invalid requests[1].deleteDimension: Cannot delete a row that doesn't exist.")
    assert read(service, key) == []


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"updateCells": {"range": {"endRowIndex": 1001}, "fields": "*"}}, "exceeds grid limits"),
        (
            {"updateCells": {"start": {"rowIndex": 1000}, "fields": "*"}},
            "rowIndex[1000] is after last row in grid[1000]",
        ),
        ({"updateCells": {"start": {}}}, "At least one field must be listed"),
        ({"updateCells": {"fields": "*"}}, "exactly one of: range, start"),
        ({"insertDimension": {"range": {"dimension": "ROWS", "endIndex": 1}, "inheritFromBefore": True}}, "at index 0"),
        (
            {"insertDimension": {"range": {"dimension": "ROWS", "startIndex": 1000, "endIndex": 1001}}},
            "grid size (1000)",
        ),
        ({"appendDimension": {"sheetId": 0, "length": 1}}, "No dimension specified"),
        ({"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 1_000_000}}, "limit of 10000000 cells"),
        ({"addSheet": {"properties": {"title": "sheet1"}}}, 'with the name "sheet1" already exists'),
        ({"addSheet": {"properties": {"sheetId": 0}}}, "with the ID 0 already exists"),
        ({"deleteSheet": {"sheetId": 0}}, "can't remove all the sheets"),
        (
            {"moveDimension": {"source": {"dimension": "ROWS", "endIndex": 3}, "destinationIndex": 1}},
            "must not lie inside",
        ),
        ({"sortRange": {"range": {"endColumnIndex": 2}, "sortSpecs": [{"dimensionIndex": 2}]}}, "not lie in the range"),
        ({"repeatCell": {"range": {"sheetId": 9}, "fields": "note"}}, "No grid with id: 9"),
    ],
)
def test_a_request_that_cannot_be_is_named_with_its_reason(service, key, request_, words):
    status, reason = refusal(lambda: change(service, key, request_))
    assert status == 400
    assert reason.startswith(f"Invalid requests[0].{next(iter(request_))}: ")
    assert words in reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"requests": [{"appendDimension": {"lenght": 1}}]},
            "Unknown name \"lenght\" at 'requests[0].append_dimension'",
        ),
        ({"requests": [{"appendDimension": {"length": "x"}}]}, "'requests[0].append_dimension.length' (TYPE_INT32)"),
        ({"requests": [{"appendDimension": {"dimension": "ROW"}}]}, "append_dimension.dimension' (TYPE_ENUM)"),
        ({"requests": {}}, "Invalid value at 'requests'"),
        ({"requests": [{}]}, "exactly one kind"),
        ({}, "at least one request"),
        ([], "Root element must be a message"),
    ],
)
def test_a_body_that_does_not_fit_googles_types_is_refused_as_google_does(raw, key, body, words):
    response = raw.post(f"/v4/spreadsheets/{key}:batchUpdate", json=body)
    error = response.json()["error"]
    assert (response.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert words in error["message"]


@pytest.mark.parametrize("content", [b"{", b'{"requests": [NaN]}', b"\xff"])
def test_a_body_that_is_no_json_is_refused(raw, key, content):
    response = raw.post(f"/v4/spreadsheets/{key}:batchUpdate", content=content)
    assert response.status_code == 400
    assert "Invalid JSON payload received" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("colour=red", "Cannot bind query parameter. Field 'colour'"),
        ("includeGridData=maybe", "Invalid value at 'include_grid_data' (TYPE_BOOLEAN)"),
        ("fields=sheets.colour", "Cannot find matching fields for path 'sheets.colour'"),
    ],
)
def test_a_parameter_google_does_not_know_is_refused(raw, key, query, words):
    response = raw.get(f"/v4/spreadsheets/{key}?{query}")
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v4/spreadsheets/KEY:batchUpdate", {"requests": [{"addChart": {}}]}),
        ("POST", "/v4/spreadsheets/KEY:batchUpdate", {"requests": [{"repeatCell": {"fields": "textFormatRuns"}}]}),
        ("POST", "/v4/spreadsheets/KEY/developerMetadata:search", {}),
        ("POST", "/v4/spreadsheets/KEY/sheets/0:copyTo", {}),
        ("POST", "/v4/spreadsheets", {"namedRanges": []}),
        ("GET", "/v4/spreadsheets/KEY?alt=media", None),
        ("GET", "/drive/v3/files", None),
    ],
)
def test_what_google_has_and_the_double_does_not_says_so(raw, key, method, path, body):
    response = raw.request(method, path.replace("KEY", key), json=body)
    assert (response.status_code, response.json()["error"]["status"]) == (501, "UNIMPLEMENTED")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v4/sheets"), ("DELETE", "/v4/spreadsheets/KEY")])
def test_a_path_google_does_not_have_is_a_page_not_found(raw, key, method, path):
    response = raw.request(method, path.replace("KEY", key))
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(("name", "wanted"), [("my program (gzip)", "gzip"), ("my program", None)])
def test_an_answer_is_packed_for_a_program_whose_name_asks_for_it_too(raw, key, name, wanted):
    answer = raw.get(
        f"/v4/spreadsheets/{key}?includeGridData=true", headers={"User-Agent": name, "Accept-Encoding": "gzip"}
    )
    assert (answer.headers.get("Content-Encoding"), answer.json()["spreadsheetId"]) == (wanted, key)


def test_who_may_not_gets_the_reason(url, key):
    address = f"{url}/v4/spreadsheets/{key}"
    assert HTTP.get(address).json()["error"]["status"] == "PERMISSION_DENIED"
    wrong = HTTP.get(address, headers={"Authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    few = HTTP.post(f"{url}/_local/tokens", json={"scopes": ["https://www.googleapis.com/auth/gmail.send"]}).json()
    error = HTTP.get(address, headers={"Authorization": f"Bearer {few['token']}"}).json()["error"]
    assert (error["code"], error["details"][0]["reason"]) == (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


def test_a_token_to_read_does_not_write(url, key):
    order = {"scopes": ["https://www.googleapis.com/auth/spreadsheets.readonly"]}
    headers = {"Authorization": f"Bearer {HTTP.post(f'{url}/_local/tokens', json=order).json()['token']}"}
    assert HTTP.get(f"{url}/v4/spreadsheets/{key}", headers=headers).status_code == 200
    assert HTTP.post(f"{url}/v4/spreadsheets/{key}/values/A1:clear", headers=headers).status_code == 403


def test_gspread_gets_the_exceptions_it_gets_from_google(raw, worksheet):
    client = worksheet.client
    with pytest.raises(gspread.SpreadsheetNotFound):
        gspread.Client(auth=None, session=client.session).open_by_key("none")
    raw.post("/_local/faults", json={"on": "sheets", "error": "SERVICE_DISABLED", "times": 1})
    with pytest.raises(gspread.exceptions.APIError) as caught:
        worksheet.get_all_values()
    assert caught.value.error["details"][0]["reason"] == "SERVICE_DISABLED"


@pytest.mark.parametrize(("error", "status"), [("RESOURCE_EXHAUSTED", 429), ("UNAVAILABLE", 503), ("INTERNAL", 500)])
def test_a_fault_answers_in_sheets_place(raw, key, error, status):
    raw.post("/_local/faults", json={"on": "sheets", "error": error, "times": 1})
    statuses = [raw.get(f"/v4/spreadsheets/{key}").status_code for _ in range(2)]
    assert statuses == [status, 200]


def test_a_fault_hits_only_calls_that_match(raw, key):
    raw.post("/_local/faults", json={"on": "sheets", "error": "UNAVAILABLE", "match": "values/B"})
    statuses = [raw.get(f"/v4/spreadsheets/{key}/values/{cell}").status_code for cell in ("A1", "B1")]
    assert statuses == [200, 503]


def test_an_ambiguous_fault_carries_the_write_out_and_loses_the_answer(raw, service, key):
    raw.post("/_local/faults", json={"on": "sheets", "html": 503, "after": True, "times": 1})
    body = {"values": [["written"]]}
    response = raw.put(f"/v4/spreadsheets/{key}/values/A1?valueInputOption=RAW", json=body)
    assert response.status_code == 503
    assert read(service, key) == [["written"]]


def test_a_hang_outlives_the_callers_patience(raw, key):
    raw.post("/_local/faults", json={"on": "sheets", "hang_s": 60, "times": 1})
    with pytest.raises(httpx.ReadTimeout):
        raw.get(f"/v4/spreadsheets/{key}", timeout=httpx.Timeout(30, read=0.2))


def test_people_change_the_sheet_between_two_calls(raw, service, key):
    write(service, key, [["a"], ["b"]])
    people = f"/_local/spreadsheets/{key}/people"
    inserted = {"range": {"sheetId": 0, "dimension": "ROWS", "startIndex": 0, "endIndex": 1}}
    moved = {"source": {"sheetId": 0, "dimension": "COLUMNS", "endIndex": 1}, "destinationIndex": 2}
    sorted_ = {"range": {"sheetId": 0}, "sortSpecs": [{"dimensionIndex": 1, "sortOrder": "DESCENDING"}]}
    assert raw.post(people, json={"range": "Sheet1!A2", "value": "2026-11-01"}).status_code == 200
    assert raw.post(people, json={"requests": [{"insertDimension": inserted}]}).status_code == 200
    assert read(service, key) == [[], ["a"], [46327]]
    raw.post(people, json={"requests": [{"moveDimension": moved}, {"sortRange": sorted_}]})
    assert read(service, key) == [["", "a"], ["", 46327]]
    assert raw.post(people, json={"range": "Nowhere!A1", "value": 1}).status_code == 400


def test_a_spreadsheet_under_an_id_of_ones_own_is_made_once(raw, service):
    order = {"id": "season-2026", "title": "Season", "sheet": "Bookings"}
    assert raw.post("/_local/spreadsheets", json=order).status_code == 201
    write(service, "season-2026", [["a"]], "Bookings!A1")
    assert raw.post("/_local/spreadsheets", json=order).status_code == 200
    assert read(service, "season-2026", "Bookings") == [["a"]]
    assert {"id": "season-2026", "title": "Season"} in raw.get("/_local/spreadsheets").json()["spreadsheets"]
    assert raw.post("/_local/spreadsheets", json={"id": "../x"}).json()["field"] == "id"


def test_a_browser_shows_the_sheet_as_text_whatever_is_in_it(raw, service, key):
    write(service, key, [["<script>alert(1)</script>", "=1+1"]])
    page = BeautifulSoup(raw.get(f"/spreadsheets/d/{key}/edit").text, "html.parser")
    assert [cell.text for cell in page.select("td")] == ["<script>alert(1)</script>", "=1+1"]
    assert page.script is None
    listed = BeautifulSoup(raw.get("/").text, "html.parser")
    assert f"/spreadsheets/d/{key}/edit" in [link["href"] for link in listed.select("a")]


def test_a_long_sheet_is_shown_in_pages(raw, service, key):
    change(service, key, {"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 500}})
    write(service, key, [[number] for number in range(1, 1202)])
    page = BeautifulSoup(raw.get(f"/spreadsheets/d/{key}?gid=0&row=1001").text, "html.parser")
    assert [cell.text for cell in page.select("td")][:2] == ["1001", "1002"]
    assert len(page.select("td")) == 201


def test_what_was_written_survives_a_restart(tmp_path):
    state = tmp_path / "state"
    with serve.running(services.create(state)) as url:
        info = HTTP.post(f"{url}/_local/tokens").json()
        headers = {"Authorization": f"Bearer {info['token']}"}
        key = HTTP.post(f"{url}/v4/spreadsheets", headers=headers, json={}).json()["spreadsheetId"]
        address = f"/v4/spreadsheets/{key}/values/A1"
        HTTP.put(f"{url}{address}?valueInputOption=RAW", headers=headers, json={"values": [["kept"]]})
    with serve.running(services.create(state)) as url:
        assert HTTP.get(url + address, headers=headers).json()["values"] == [["kept"]]


def test_fifteen_thousand_rows_are_written_in_one_call(service, key):
    texts = ["Resort Hotel", "A", "Zoë Ørsted", "2015-07-01", "2015-07-03", "BB", "PRT", "TA/TO", "checked_out"]
    rows = [[f"B{i:05}", *texts, 2, 2, 0, 98.5, i] for i in range(15_000)]
    size = {"properties": {"gridProperties": {"rowCount": 15_000, "columnCount": 15}}, "fields": "gridProperties"}
    change(service, key, {"updateSheetProperties": size})
    write(service, key, rows)
    assert read(service, key) == rows


def test_the_program_says_where_it_listens_and_keeps_its_client_over_a_kill(tmp_path):
    def client():
        command = [sys.executable, "-m", "doubles.google", "--port", "0", "--state", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        name, word, url = process.stdout.readline().split()
        told = [name, word]
        found = HTTP.get(f"{url}/_local/client").json()["installed"]["client_secret"]
        process.kill()
        process.communicate()
        return told, found

    first, second = client(), client()
    assert first[0] == ["google", "ready"]
    assert first == second

"""What people and programs do with tabs besides writing cells, driven by Google's own client and by peers' ones."""

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from doubles.google import services
from local import serve
from tests.plain import HTTP

SYNC = "sync@hotel.example"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serve.running(services.create(tmp_path_factory.mktemp("google"))) as url:
        yield url


def client(url, account=""):
    login = Credentials(token=HTTP.post(f"{url}/_local/tokens", json={"account": account}).json()["token"])
    return build("sheets", "v4", credentials=login, static_discovery=True, client_options={"api_endpoint": url})


@pytest.fixture(scope="module")
def owner(url):
    with client(url) as made:
        yield made.spreadsheets()


@pytest.fixture(scope="module")
def sync(url):
    with client(url, SYNC) as made:
        yield made.spreadsheets()


@pytest.fixture
def key(url, owner):
    body = {"sheets": [{"properties": {"title": "T", "gridProperties": {"rowCount": 20, "columnCount": 8}}}]}
    made = owner.create(body=body).execute()["spreadsheetId"]
    HTTP.post(f"{url}/_local/spreadsheets/{made}/share", json={"account": SYNC})
    rows = [["id", "guest", "rate"], ["B1", "Ada", 80], ["B2", "Bob", 90], ["B3", "Cem", 70]]
    write(owner, made, rows)
    return made


def write(service, key, rows, where="T!A1", option="RAW"):
    values = service.values()
    values.update(spreadsheetId=key, range=where, valueInputOption=option, body={"values": rows}).execute()


def read(service, key, where="T", option="UNFORMATTED_VALUE"):
    return service.values().get(spreadsheetId=key, range=where, valueRenderOption=option).execute().get("values", [])


def change(service, key, *requests, **more):
    return service.batchUpdate(spreadsheetId=key, body={"requests": list(requests), **more}).execute()


def refusal(service, key, *requests):
    with pytest.raises(HttpError) as caught:
        change(service, key, *requests)
    assert caught.value.status_code == 400
    return caught.value.reason


def area(top, bottom, left, right):
    return {"startRowIndex": top, "endRowIndex": bottom, "startColumnIndex": left, "endColumnIndex": right}


def test_a_batch_may_begin_with_a_copy_and_answer_what_stood_there_before(owner, key):
    copy = {"duplicateSheet": {"sourceSheetId": 0, "newSheetId": 99, "newSheetName": "c", "insertSheetIndex": 1}}
    cell = {"rows": [{"values": [{"userEnteredValue": {"numberValue": 1}}]}], "fields": "userEnteredValue"}
    update = {"updateCells": {"start": {"rowIndex": 1, "columnIndex": 2}, **cell}}
    answer = change(
        owner,
        key,
        copy,
        update,
        includeSpreadsheetInResponse=True,
        responseIncludeGridData=True,
        responseRanges=["c!2:2"],
    )
    (sheet,) = answer["updatedSpreadsheet"]["sheets"]
    assert sheet["properties"]["sheetId"] == 99
    assert sheet["data"][0]["rowData"][0]["values"][2]["userEnteredValue"] == {"numberValue": 80}
    assert read(owner, key)[1][2] == 1
    assert "already exists" in refusal(owner, key, copy, update)


def test_what_programs_note_beside_a_spreadsheet_is_there_once_until_it_is_deleted(owner, key):
    note = {"metadataId": 99, "metadataKey": "k", "metadataValue": "v", "location": {"spreadsheet": True}}
    made = {"createDeveloperMetadata": {"developerMetadata": {**note, "visibility": "DOCUMENT"}}}
    change(owner, key, made)
    (found,) = owner.get(spreadsheetId=key, fields="developerMetadata").execute()["developerMetadata"]
    assert found | note | {"location": found["location"]} == found
    assert "already exists" in refusal(owner, key, made)
    change(owner, key, {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {"metadataId": 99}}}})
    assert owner.get(spreadsheetId=key, fields="developerMetadata").execute() == {}


def test_all_rows_cannot_be_frozen_nor_all_tabs_hidden(owner, key):
    frozen = {"properties": {"gridProperties": {"frozenRowCount": 20}}, "fields": "gridProperties.frozenRowCount"}
    assert "can't freeze all visible rows" in refusal(owner, key, {"updateSheetProperties": frozen})
    hidden = {"properties": {"hidden": True}, "fields": "hidden"}
    assert "all the visible sheets" in refusal(owner, key, {"updateSheetProperties": hidden})


def test_a_protected_range_stops_others_and_says_whether_one_may(owner, sync, key):
    change(owner, key, {"addProtectedRange": {"protectedRange": {"range": area(1, 2, 0, 3), "description": "mine"}}})
    cell = {"rows": [{"values": [{"userEnteredValue": {"numberValue": 1}}]}], "fields": "userEnteredValue"}
    assert "protected cell" in refusal(sync, key, {"updateCells": {"start": {"rowIndex": 1}, **cell}})
    change(sync, key, {"updateCells": {"start": {"rowIndex": 2, "columnIndex": 2}, **cell}})
    may = [
        service.get(spreadsheetId=key).execute()["sheets"][0]["protectedRanges"][0].get("requestingUserCanEdit", False)
        for service in (owner, sync)
    ]
    assert may == [True, False]


def test_a_merge_keeps_its_first_cell_and_grows_and_moves_with_rows(owner, key):
    change(owner, key, {"mergeCells": {"range": area(1, 3, 1, 2), "mergeType": "MERGE_ALL"}})
    assert read(owner, key, "T!B2:B3") == [["Ada"]]
    write(owner, key, [["lost"]], "T!B3")
    assert read(owner, key, "T!B2:B3") == [["Ada"]]
    rows = {"sheetId": 0, "dimension": "ROWS", "startIndex": 2, "endIndex": 3}
    change(owner, key, {"insertDimension": {"range": rows}})
    assert owner.get(spreadsheetId=key).execute()["sheets"][0]["merges"] == [{**area(1, 4, 1, 2)}]
    sort = {"range": area(1, 5, 0, 3), "sortSpecs": [{"dimensionIndex": 2}]}
    assert "merged cells" in refusal(owner, key, {"sortRange": sort})


def test_a_filter_hides_rows_that_are_read_all_the_same(owner, key):
    spec = {"columnIndex": 1, "filterCriteria": {"hiddenValues": ["Bob"]}}
    change(owner, key, {"setBasicFilter": {"filter": {"range": area(0, 4, 0, 3), "filterSpecs": [spec]}}})
    assert [row[1] for row in read(owner, key)[1:]] == ["Ada", "Bob", "Cem"]
    fields = "sheets(basicFilter,data.rowMetadata.hiddenByFilter)"
    (sheet,) = owner.get(spreadsheetId=key, fields=fields).execute()["sheets"]
    assert [row.get("hiddenByFilter", False) for row in sheet["data"][0]["rowMetadata"][:4]] == [
        False,
        False,
        True,
        False,
    ]


def test_cut_cells_lie_where_they_were_pasted_and_leave_blank_ones(owner, key):
    change(owner, key, {"cutPaste": {"source": area(1, 2, 0, 3), "destination": {"rowIndex": 8, "columnIndex": 1}}})
    assert read(owner, key, "T!A9:D9") == [["", "B1", "Ada", 80]]
    assert read(owner, key, "T!A2:D2") == []


def test_a_filter_does_not_lie_over_a_table(owner, key):
    change(owner, key, {"addTable": {"table": {"name": "Bookings", "range": area(0, 4, 0, 3)}}})
    assert "can't create a filter" in refusal(owner, key, {"setBasicFilter": {"filter": {"range": area(0, 4, 0, 3)}}})


def test_rows_are_appended_to_the_last_table_that_the_range_meets(owner, key):
    """Google's own example: two tables, A1:C2 and B4:D6."""
    service, made = owner, owner.create(body={"sheets": [{"properties": {"title": "T"}}]}).execute()["spreadsheetId"]
    write(service, made, [["x", "y", "z"], ["x", "y", "z"]])
    write(service, made, [["x", "y"], ["x", "y", "z"], ["x", "y", "z"]], "T!B4")

    def begins(where):
        body = {"values": [["new"]]}
        call = service.values().append(spreadsheetId=made, range=where, valueInputOption="RAW", body=body)
        updated = call.execute()["updates"]["updatedRange"]
        service.values().clear(spreadsheetId=made, range=updated, body={}).execute()
        return updated

    assert {begins(where) for where in ("T", "T!B4", "T!C5:D5", "T!B2:D4", "T!A3:G10")} == {"T!B7"}
    assert (begins("T!A1"), begins("T!E8")) == ("T!A3", "T!E8")


@pytest.mark.parametrize(
    ("typed", "held", "shown"),
    [
        ("14:30", 0.6041666666666666, "14:30"),
        ("2:30 PM", 0.6041666666666666, "14:30"),
        ("2026-11-01 06:00", 46327.25, "2026-11-01 6:00"),
        ("$1,234.50", 1234.5, "$1,234.50"),
        ("25:99", "25:99", "25:99"),
    ],
)
def test_what_looks_like_a_time_or_an_amount_becomes_a_number(owner, key, typed, held, shown):
    write(owner, key, [[typed]], "T!H1", "USER_ENTERED")
    assert read(owner, key, "T!H1") == [[held]]
    assert read(owner, key, "T!H1", "FORMATTED_VALUE") == [[shown]]


def test_a_number_is_an_ieee_double(owner, key):
    write(owner, key, [[2**53 + 1, 1e300]], "T!G1")
    assert read(owner, key, "T!G1:H1") == [[2**53, 1e300]]


@pytest.mark.parametrize("body", [b'{"values": [["\\ud800"]]}', b'{"values": [[1e999]]}'])
def test_what_no_answer_could_hold_is_refused_at_the_door(url, key, body):
    login = {"Authorization": f"Bearer {HTTP.post(f'{url}/_local/tokens').json()['token']}"}
    answer = HTTP.put(f"{url}/v4/spreadsheets/{key}/values/T!A1?valueInputOption=RAW", headers=login, content=body)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")

"""A journal as an operator reads it."""

import json

import pytest

from agent.journal import main
from agent.record.journal import Journal
from wire.types import EventKind

USAGE = {"input_tokens": 1000, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30, "output_tokens": 100}
TURN = [
    (EventKind.RESERVE, {"turn": 1, "usd_micros": 9000, "hand_over": False}),
    (EventKind.STREAM, {"events": [{"type": "message_start"}]}),
    (EventKind.SETTLE, {"turn": 1, "message": {"content": []}, "usage": USAGE, "usd_micros": 3000}),
    (EventKind.TOOL_STARTED, {"tool_use_id": "toolu_1", "name": "bash", "input": {"command": "\x1b[31m"}}),
    (EventKind.TOOL_RESULT, {"tool_use_id": "toolu_1", "content": "ok", "is_error": False}),
]
END = (EventKind.END, {"exit": 0})
CUT = [(EventKind.RESERVE, {"turn": 2, "usd_micros": 7000}), (EventKind.CUT, {"turn": 2, "reason": "half"})]


@pytest.fixture
def journal(tmp_path):
    """Write a journal of these records; return its path."""

    def write(*records):
        path = tmp_path / "journal.jsonl"
        with Journal(path, lambda: 0.0) as journal:
            for record in ((EventKind.HEADER, {"model": "m"}), *records):
                journal.append(*record)
        return path

    return write


def test_a_record_is_a_line_without_control_characters_and_streams_are_left_out(journal, capsys):
    assert main(["show", str(journal(*TURN, END))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["header", "reserve", "settle", "tool_started", "tool_result", "end"]
    assert "\x1b" not in "".join(lines)


def test_as_json_a_record_is_whole(journal, capsys):
    main(["show", "--json", str(journal(*TURN))])
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (len(records), records[4]["data"]["input"]["command"]) == (6, "\x1b[31m")


def test_costs_are_by_turn_and_in_all(journal, capsys):
    main(["cost", str(journal(*TURN, *CUT))])
    _, first, second, total = capsys.readouterr().out.splitlines()
    assert first.split() == ["1", "1000", "20", "30", "100", "0.0030"]
    assert second.split()[-3:] == ["at", "worst", "cut"]
    assert total.startswith("2 turns, $0.0100;")


def test_a_whole_journal_is_verified(journal, capsys):
    assert main(["verify", str(journal(*TURN, END))]) == 0
    assert capsys.readouterr().out == "7 records, all readable, in order\n"


def test_what_is_unfinished_is_no_damage(journal, capsys):
    assert main(["verify", str(journal(*TURN[:4]))]) == 0
    out = capsys.readouterr().out
    assert "the call toolu_1 (bash) began and has no result" in out
    assert "no last word" in out


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: raw + b'{"n": 8, "at"', "13 bytes behind record 7"),
        (lambda raw: raw.replace(b'"n":3', b'"n":5'), "behind record 2"),
        (lambda raw: raw.replace(b'"turn":1,"usd_micros":9000', b'"turn":4,"usd_micros":9000'), "was never reserved"),
    ],
)
def test_damage_is_named_and_nothing_is_called_readable(journal, capsys, damage, words):
    path = journal(*TURN, END)
    path.write_bytes(damage(path.read_bytes()))
    assert main(["verify", str(path)]) == 1
    out = capsys.readouterr().out
    assert words in out
    assert out.endswith("DAMAGED\n")


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "none")]) == 2
    assert "none: No such file" in capsys.readouterr().out

"""What `fab restore` says before and after, and whom it refuses."""

import pytest
from msgspec.structs import replace

from provision.commands import restore
from provision.errors import CommandError
from wire.archive import About

ABOUT = About(format=1, made_at="2026-05-13T12:00:00Z", host="jada-1", release="r1", schema=3, paused=True)
PARTS = {"dashboard": {"entries": 1, "bytes": 4_000_000}}
TABLE = "eu-west-1/jada-queue"


def held(**fields):
    return {"release": "r1", "schema": 3, "parts": PARTS, "unfinished": False, **fields}


def test_a_host_whose_queue_is_in_a_table_is_told_that_the_table_stays_and_how_to_go_on():
    before = "\n".join(restore.lines(ABOUT, PARTS, held(table=TABLE), "jada-1"))
    assert f"the queue of jada-1 is in the table {TABLE}, which stays as it is" in before
    after = "\n".join(restore.next_lines(ABOUT, TABLE))
    assert '`table = ""` in [dashboard], then `fab deploy`' in after
    assert "`fab resume` starts the host" in after


def test_a_backup_is_said_to_come_from_the_host_and_table_that_operators_know():
    about = replace(ABOUT, host="ip-172-26-0-7", called="jada-2", table=TABLE, paused=False)
    said = [*restore.lines(about, PARTS, held(), "jada-1"), *restore.next_lines(about)]
    assert said[0].startswith("backup of jada-2 (ip-172-26-0-7), made 2026-05-13T12:00:00Z, at work")
    assert f"its queue was in the table {TABLE}: what is in the backup is a copy of that, as a file" in said
    assert "jada-2 (ip-172-26-0-7) was at work when the backup was made" in "\n".join(said)
    assert next(restore.lines(ABOUT, PARTS, held(), "jada-2")).startswith("backup of jada-1, made")


def test_of_a_file_nothing_is_said_of_tables():
    # As a host's release that knows of none answers, too.
    for answer in (held(), held(table="")):
        said = [*restore.lines(ABOUT, PARTS, answer, "jada-1"), *restore.next_lines(ABOUT, answer.get("table", ""))]
        assert not [line for line in said if "table" in line]


def test_one_of_several_hosts_does_not_leave_the_table_that_the_others_go_on_with():
    with pytest.raises(CommandError, match="jada-1, jada-2 share the queue in the table eu-west-1/jada-queue"):
        restore.require_no_other_host(held(table=TABLE), ["jada-1", "jada-2"])
    restore.require_no_other_host(held(table=TABLE), ["jada-1"])
    restore.require_no_other_host(held(), ["jada-1", "jada-2"])

"""What an operator sees of the booking system before a deploy."""

import json


def test_the_first_records_are_shown_as_they_would_land_and_nothing_is_written(town):
    done = town.run("--first", "2")
    assert done.returncode == 0, done.stderr
    assert 'record 2 would land as\n    id         "J00002"' in done.stdout
    assert town.watched.calls == []


def test_a_field_that_does_not_fit_is_named_with_what_the_record_has(town):
    town.configure(columns=["id", "arrival", "guest"], dates=["arrival", "guest"], amounts=[])
    done = town.run("--first", "1")
    assert done.returncode == 1
    assert "record 1 does not fit: guest: is no date of the format 2026-05-13" in done.stdout
    assert "it has: id = 'J00001', hotel = " in done.stdout


def test_a_program_gets_the_same_as_json(town):
    (one,) = json.loads(town.run("--first", "1", "--json").stdout)
    assert (one["record"]["id"], one["lands"]["id"]) == ("J00001", "J00001")


def test_a_sync_that_is_not_set_up_yet_ends_at_once_and_well(town):
    (town.folder / "jada.toml").write_text(f'[sync]\nenabled = false\ndashboard_url = "{town.dashboard}"\n')
    done = town.run()
    assert (done.returncode, "sync.enabled = false" in done.stdout, town.report().outcome) == (0, True, "off")
    assert town.watched.calls == []

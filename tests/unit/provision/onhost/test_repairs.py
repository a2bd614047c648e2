from provision import desired
from provision.onhost import repairs

GIVEN = repairs.Given("admin", ())


def steps(rows):
    """The steps in which rows are brought back, of which none is carried out."""
    ordered = [
        {"repair": row.repair, "name": row.name, "want": row.want, "give": row.give} for row in rows if row.repair
    ]
    (kind,) = {each["repair"] for each in ordered}
    return [text for text, _ in repairs.REPAIRS[kind](ordered, GIVEN)]


def test_systemd_reads_its_units_again_once_for_all_files_that_it_is_to_read():
    files = desired.system_files()
    texts = steps(map(desired.file_row, files))
    assert texts == [*(f"write {file.path}" for file in files), "have systemd read its files again"]
    assert {"boot unit", "drop-in"} < {file.kind for file in files}


def test_it_does_not_for_files_of_others():
    others = [file for file in desired.system_files() if file.kind not in ("boot unit", "drop-in")]
    assert steps(map(desired.file_row, others)) == [f"write {file.path}" for file in others]


def test_units_are_read_anew_once_and_each_is_asked_only_for_what_it_should_be():
    rows = [row for row in desired.common() if row.look == "unit"]
    first, *others = steps(rows)
    assert first == f"have systemd read {', '.join(row.name for row in rows)} anew"
    assert others == ["unmask and enable and start cron.service", *(f"enable {unit}" for unit in desired.BOOT_UNITS)]

from pathlib import Path

import pytest

from provision.release.bundle import FILES
from provision.system.secrets import FOLDER, SECRETS, HostSecret, credential_lines, missing
from provision.system.units import TEMPLATES, UNITS

OPTIONAL = HostSecret("proxy_password", "made up by this test", ("jada-agent.service",), optional=True)
ROOT = Path(__file__).parents[4]
SECURITY = ROOT / "docs" / "security.md"


def _credentials(unit):
    lines = (FILES / "units" / unit).read_text().splitlines()
    return [line for line in lines if line.startswith(("LoadCredential", "SetCredential", "ImportCredential"))]


@pytest.mark.parametrize("unit", [*UNITS, *TEMPLATES])
def test_a_unit_reads_the_secrets_of_the_table_and_no_other(unit):
    assert sorted(_credentials(unit)) == sorted(credential_lines(unit))


def test_every_reader_is_a_unit_of_the_release_and_the_dashboard_reads_only_its_tables_key():
    assert {unit for secret in SECRETS.values() for unit in secret.readers} == {*UNITS, *TEMPLATES}
    assert [name for name, secret in SECRETS.items() if "jada-dashboard.service" in secret.readers] == ["table_key"]


def test_the_document_on_security_has_the_table():
    for secret in SECRETS.values():
        readers = ", ".join(f"`{unit.removesuffix('.service')}`" for unit in secret.readers)
        given = "given, optional" if secret.optional else "given"
        assert f"| `{secret.name}` | {readers} | {given} | {secret.purpose.partition(';')[0]} |" in SECURITY.read_text()


@pytest.mark.parametrize("name", SECRETS)
def test_a_program_reads_each_secret(name):
    parts = (ROOT / part for part in ("agent", "backup", "dashboard", "notify", "sync"))
    assert any(f'"{name}"' in path.read_text() for part in parts for path in part.rglob("*.py"))


def test_a_unit_has_an_empty_line_in_place_of_an_optional_secret():
    assert list(credential_lines("jada-agent.service", {OPTIONAL.name: OPTIONAL})) == [
        f"LoadCredential=proxy_password:{FOLDER}/proxy_password",
        r"SetCredential=proxy_password:\n",
    ]


def test_a_secret_that_its_reader_tells_of_is_missing_and_yet_lets_its_unit_start():
    token = SECRETS["bookings_token"]
    assert r"SetCredential=bookings_token:\n" in credential_lines("port-sheet-sync.service", {token.name: token})
    assert token in missing([])


def test_an_optional_secret_is_never_missing():
    table = {**SECRETS, OPTIONAL.name: OPTIONAL}
    assert {secret.name for secret in missing(["bookings_token"], secrets=table)} == SECRETS.keys() - {
        "backup_key",
        "bookings_token",
        "dashboard_token",
        "egress_secrets",
        "heartbeat_url",
        "notify_targets",
        "port_sheet_client.json",
        "table_key",
    }


def test_what_only_a_unit_at_rest_reads_is_not_missing():
    assert {secret.name for secret in missing([], ["port-sheet-sync.service"])} == {"anthropic_api_key"}
    assert {secret.name for secret in missing([])} >= {"port_sheet_token.json", "bookings_token"}

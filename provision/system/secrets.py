"""The secrets of a host, one row each: units, `fab secrets`, `fab verify` and docs/security.md follow this table."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

FOLDER = "/home/jada/secrets"


@dataclass(frozen=True, slots=True)
class HostSecret:
    """A secret: what it is for, and the units that read it.

    Where an `optional` one is absent, its readers find an empty line in its place. They do so too for one that they are
    `told_of`: it is needed, and its reader itself says which one is lacking.
    """

    name: str
    purpose: str
    readers: tuple[str, ...]
    optional: bool = False
    told_of: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that gives it: JADA_SECRET_PORT_SHEET_TOKEN_JSON and the like."""
        return "JADA_SECRET_" + self.name.upper().replace(".", "_")


SECRETS: Mapping[str, HostSecret] = {
    secret.name: secret
    for secret in (
        HostSecret("anthropic_api_key", "the worker's key to Claude", ("jada-agent.service",)),
        HostSecret(
            "egress_secrets",
            "what is added to requests of the worker's tools outside of their sandbox, lines of `name = token`",
            ("jada-agent.service",),
            optional=True,
        ),
        HostSecret(
            "dashboard_token",
            "the token for a queue on another host, as `fab token.make` prints it there",
            ("jada-agent.service", "jada-notify.service", "port-sheet-sync.service"),
            optional=True,
        ),
        HostSecret(
            "table_key",
            "the key to the queue's table in DynamoDB, as `fab table-key` makes it",
            ("jada-dashboard.service",),
            optional=True,
        ),
        HostSecret(
            "bookings_token", "the sync's token for the booking system", ("port-sheet-sync.service",), told_of=True
        ),
        HostSecret(
            "port_sheet_token.json",
            "Google's credential for the port sheet: a service account's key, or the token that auth_ga.py writes",
            ("port-sheet-sync.service",),
            told_of=True,
        ),
        HostSecret(
            "port_sheet_client.json",
            "the OAuth client by which auth_ga.py asks for a token",
            (),
            optional=True,
        ),
        HostSecret(
            "notify_targets",
            "whom notifications go to, lines of `name = URL`",
            ("jada-notify.service", "jada-failed@.service", "port-sheet-sync.service"),
            optional=True,
        ),
        HostSecret(
            "backup_key",
            "the private key by which the night's backup is sent, as ssh-keygen writes it",
            ("jada-backup.service",),
            optional=True,
        ),
        HostSecret(
            "heartbeat_url",
            "what is called each minute while all is well, by healthchecks.io's protocol",
            ("jada-notify.service",),
            optional=True,
        ),
    )
}


def credential_lines(unit: str, secrets: Mapping[str, HostSecret] = SECRETS) -> Iterator[str]:
    """Yield the lines by which a unit gets its secrets from systemd."""
    for secret in secrets.values():
        if unit in secret.readers:
            yield f"LoadCredential={secret.name}:{FOLDER}/{secret.name}"
            if secret.optional or secret.told_of:
                # A default: without it systemd 252 ends the unit (243/CREDENTIALS) when the file is missing. It refuses
                # an empty one, so that this is a line with nothing in it.
                yield rf"SetCredential={secret.name}:\n"


def missing(
    held: Container[str], off: Container[str] = (), secrets: Mapping[str, HostSecret] = SECRETS
) -> tuple[HostSecret, ...]:
    """Return the secrets that a host must have and has not; `off` are units that the settings leave at rest."""
    needed = (secret for secret in secrets.values() if any(unit not in off for unit in secret.readers))
    return tuple(secret for secret in needed if secret.name not in held and not secret.optional)

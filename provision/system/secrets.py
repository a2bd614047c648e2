"""The secrets of a host as data: what each is for and who reads it."""

FOLDER = "/home/jada/secrets"
NAMES = {
    "anthropic_api_key": "the worker's key to Claude",
    "dashboard_token": "the queue's bearer token; made on the host when you give none",
    "bookings_token": "the sync's token for the booking system",
    "port_sheet_token.json": "Google's refresh token for the port sheet, as auth_ga.py writes it",
    "port_sheet_client.json": "the OAuth client that the refresh token was issued to",
}
"""Each secret, and what it is for."""
READERS = {
    "anthropic_api_key": ("jada-agent.service",),
    "dashboard_token": ("jada-dashboard.service", "jada-agent.service"),
}
"""The services that hold a copy of a secret while they run: a changed one means a restart. The sync reads anew."""
MADE_ON_HOST = ("dashboard_token",)
TOKEN_LENGTH = 16
"""Characters that the dashboard asks of its token at least."""


def needed_to_start() -> tuple[str, ...]:
    """Return the secrets without which a service can't start."""
    return tuple(READERS)


def variable(name: str) -> str:
    """Return the environment variable that holds a secret: JADA_SECRET_PORT_SHEET_TOKEN_JSON and the like."""
    return "JADA_SECRET_" + name.upper().replace(".", "_")

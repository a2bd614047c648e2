"""`python -m sync.auth_ga`: have the account's owner consent anew, and put a fresh refresh token in place.

The consent page sends its answer to a port on this machine; from another machine, forward that port over SSH
(docs/google.md). The token never leaves the host.
"""

import argparse
import json
import os
import sys
import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError
from oauthlib.oauth2 import OAuth2Error

from sync.credentials import SCOPE, TOKEN_FILE
from sync.failure import SyncFailed
from wire.terminal import printable

_SECRETS = Path("/home/jada/secrets")
_AGAIN = "start auth_ga again"
_PROMPT = "Open this address in a browser, sign in as the account that may edit the sheet, and allow:\n\n{url}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the consent; returns 0 when a token that opens spreadsheets is on disk."""
    options = _options(arguments)
    # The address must appear at once, also when the output is a pipe.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # of a real stdout
    try:
        flow = _flow(options.client)
        _consent(flow, options)
        content = _content(flow, datetime.now(UTC))
        _write(options.token, content)
    except SyncFailed as failed:
        sys.stderr.write(printable(f"[auth_ga] {failed}") + "\n")
        return 1
    sys.stdout.write(_done(options.token, content))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="auth_ga", description="Re-authenticate the sync with Google.")
    client = _SECRETS / "port_sheet_client.json"
    parser.add_argument("--client", type=Path, default=client, help="the OAuth client's file (default: %(default)s)")
    parser.add_argument("--token", type=Path, default=_SECRETS / TOKEN_FILE, help="to write (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8085, help="where the answer arrives (default: %(default)s)")
    parser.add_argument("--timeout", type=int, default=600, help="seconds to wait for it (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    return parser.parse_args(arguments)


def _flow(path: Path) -> InstalledAppFlow:
    cure = "download it anew from the Google Cloud console (Clients, type Desktop app)"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        flow = InstalledAppFlow.from_client_config(config, scopes=[SCOPE])
        address = flow.client_config["token_uri"]
        _ = flow.client_config["client_secret"]
    except OSError as error:
        raise SyncFailed("client_unreadable", f"{path} can't be read: {error.strerror}", cure) from error
    except (ValueError, KeyError, TypeError) as error:
        cause = f"{path} is no OAuth client file ({type(error).__name__})"
        raise SyncFailed("client_unreadable", cause, cure) from None
    _allow_plain_http(urlsplit(address).scheme, urlsplit(address).hostname or "")
    return flow


def _allow_plain_http(scheme: str, host: str) -> None:
    """Let oauthlib talk to a double on this machine or its own network; a real endpoint is reached only by TLS."""
    if scheme == "https":
        return
    try:
        near = ip_address("127.0.0.1" if host == "localhost" else host).is_private
    except ValueError:
        near = False
    if not near:
        cause = f"the client file would send the code to {host} without TLS"
        raise SyncFailed("client_insecure", cause, "download the client file anew: its token_uri must be https")
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


def _consent(flow: InstalledAppFlow, options: argparse.Namespace) -> None:
    try:
        flow.run_local_server(
            port=options.port,
            authorization_prompt_message=_PROMPT,
            success_message="Thank you. jada has its answer; you may close this page.",
            open_browser=not options.no_browser and _has_browser(),
            timeout_seconds=options.timeout,
            prompt="consent",  # without it Google gives no refresh token to an account that consented before
        )
    except WSGITimeoutError:
        cause = f"the consent page was not answered for {options.timeout} seconds"
        raise SyncFailed(
            "consent_timeout", cause, f"{_AGAIN}, with port {options.port} forwarded to your machine"
        ) from None
    except Warning as error:  # oauthlib raises one when other scopes were granted than asked for
        granted = ", ".join(getattr(error, "new_scope", None) or ()) or "nothing"
        raise _wrong_scope(granted) from None
    except OAuth2Error as error:
        raise _refused(error) from None
    except requests.RequestException as error:
        cure = f"look at the network, then {_AGAIN}"
        raise SyncFailed("token_endpoint_unreachable", f"the code could not be exchanged: {error}", cure) from error
    except OSError as error:
        cause = f"can't wait for the answer on port {options.port}: {error.strerror}"
        raise SyncFailed("port_taken", cause, "choose another with --port, and forward that one") from error


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _refused(error: OAuth2Error) -> SyncFailed:
    said = f"{error.error}: {error.description}" if error.description else error.error
    if error.error == "access_denied":
        return SyncFailed(
            "consent_denied", "the user, or a rule of the Workspace, denied access", f"{_AGAIN}, and allow"
        )
    if error.error in ("invalid_client", "deleted_client", "unauthorized_client"):
        cure = f"put the client's own file in place (port_sheet_client.json), then {_AGAIN}"
        return SyncFailed("client_invalid", f"Google does not accept the OAuth client ({said})", cure)
    cure = f"{_AGAIN}, and use the address that it prints, once"
    return SyncFailed("consent_failed", f"the answer of the consent page can't be used ({said})", cure)


def _wrong_scope(granted: str) -> SyncFailed:
    cause = f"the user granted {granted}, and not {SCOPE}"
    return SyncFailed("consent_scope", cause, f"{_AGAIN}, and leave the box for spreadsheets ticked")


def _content(flow: InstalledAppFlow, now: datetime) -> dict[str, Any]:
    """Make the token file: google-auth's own fields, and what it would drop: granted scopes and the token's life."""
    token: Mapping[str, Any] = flow.oauth2session.token
    scopes = token.get("scope") or []
    granted = scopes.split() if isinstance(scopes, str) else list(scopes)
    if SCOPE not in granted:
        raise _wrong_scope(", ".join(granted) or "nothing")
    if not token.get("refresh_token"):
        cause = "Google gave no refresh token"
        raise SyncFailed(
            "no_refresh_token", cause, f"remove the app at myaccount.google.com/permissions, then {_AGAIN}"
        )
    # Without the access token: it is of no use after an hour, and opens the sheet until then.
    kept: dict[str, Any] = json.loads(flow.credentials.to_json(strip=["token", "expiry"]))
    lives_s = token.get("refresh_token_expires_in")
    kept |= {"granted_scopes": granted, "issued_at": now.isoformat(timespec="seconds")}
    return kept | ({"refresh_token_expires_in": int(lives_s)} if lives_s else {})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the token file so that at every moment one whole file is there, readable only by its owner."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            # Also after Ctrl-C: the file holds a live token.
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        cause = f"the token could not be written to {path}: {error.strerror}"
        raise SyncFailed(
            "token_unwritable", cause, f"give that folder room and rights (run as root), then {_AGAIN}"
        ) from error


def _done(path: Path, content: Mapping[str, Any]) -> str:
    days = content.get("refresh_token_expires_in", 0) / 86400
    warning = f"It dies in {days:.0f} days: the app's status is Testing; publish it, then {_AGAIN}.\n" if days else ""
    return (
        f"{path} has a fresh refresh token (0600), granted {', '.join(content['granted_scopes'])}.\n{warning}"
        "The next run uses it; to see it work now: systemctl start port-sheet-sync.service\n"
    )


if __name__ == "__main__":
    sys.exit(main())

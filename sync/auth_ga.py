"""`python -m sync.auth_ga`: have the account's owner consent anew, prove the new token, and put it in place.

1. The consent page is opened in the operator's browser; its answer comes to a port of this machine's loopback.
2. What was granted is compared with what is needed, and a harmless write proves it.
3. The token file is replaced durably; until then the old one is untouched.
4. One sync runs, and its result is shown.

`fab reauth` does this from the operator's machine; the token never leaves the host.
"""

import argparse
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from google_auth_oauthlib.flow import InstalledAppFlow
from oauthlib.oauth2 import OAuth2Error

from sync import proof, report, settings
from sync.calls import TIMEOUT_S
from sync.credentials import SCOPE, TOKEN_FILE, Access
from sync.failure import Exit, SyncFailed
from sync.loopback import InputEnded, Loopback, Silent, listening
from sync.walls import SECRETS, SETTINGS, STATE
from wire.disk import sync_folder
from wire.secret import Secret
from wire.settings_file import load
from wire.terminal import printable
from wire.types import SyncOutcome, SyncRun
from wire.values import Invalid, read

_AGAIN = "start it again"
_PROMPT = "Open this address in a browser, sign in as the account that may edit the sheet, and allow:\n\n{url}\n\n"
_SYNC = ("systemctl", "start", "port-sheet-sync.service")
_RUNS = 2
"""Starts of the sync: a run that began before the new token was there proves nothing."""
_ELSEWHERE, _ELSEWHERE_S = 24, 15
"""Starts that may find the sync at another host, and the pause between: in all longer than a lease that was left."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the consent; returns 0 when a proven token is on disk, and the sync after it brought the sheet in step."""
    options = _options(arguments)
    # The address must appear at once, also when the output is a pipe.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # of a real stdout
    try:
        with _locked(options.token.parent):
            content, proven = _token(options)
            _write(options.token, content)
        written = datetime.now(UTC)
        sys.stdout.write(_done(options.token, content, proven=proven))
        if not options.no_sync:
            _say(_synced(written, _start_sync, options.state))
    except SyncFailed as failed:
        sys.stderr.write(printable(f"[auth_ga] {failed}") + "\n")
        return failed.exit
    return Exit.IN_STEP


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="auth_ga", description="Re-authenticate the sync with Google.")
    client = SECRETS / "port_sheet_client.json"
    parser.add_argument("--client", type=Path, default=client, help="the OAuth client's file (default: %(default)s)")
    parser.add_argument("--token", type=Path, default=SECRETS / TOKEN_FILE, help="to write (default: %(default)s)")
    parser.add_argument("--settings", type=Path, default=SETTINGS, help="names the spreadsheet (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=STATE, help="the sync's folder (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="where the answer arrives; 0 takes any (the default)")
    parser.add_argument("--timeout", type=int, default=600, help="seconds to wait for it (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--no-sync", action="store_true", help="put the token in place, and run no sync after it")
    parser.add_argument("--end-with-input", action="store_true", help="give up when standard input ends")
    return parser.parse_args(arguments)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this run only: of two at once, the slower one would undo the other's token."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        cause = f"the folder {folder} can't be opened: {error.strerror}"
        raise SyncFailed("token_unwritable", cause, f"run it as root, then {_AGAIN}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        cure = "end the other one, or wait: it gives up after its time-out"
        raise SyncFailed("consent_busy", "another re-authentication is under way on this host", cure) from None
    finally:
        # Closing is not enough: a program that another thread just starts has a copy of it for a moment.
        fcntl.flock(held, fcntl.LOCK_UN)
        os.close(held)


def _token(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return the content of a token file, and what was proven of it. Raises `SyncFailed`: then nothing was changed."""
    flow = _flow(options.client)
    _consent(flow, options)
    content = _content(flow, datetime.now(UTC))
    return content, _proven(flow, options.settings)


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
    """Ask for the consent, and exchange its code. Raises `SyncFailed`."""
    try:
        with listening(options.port) as loopback:
            if options.end_with_input:
                loopback.end_with(sys.stdin)
            answer = _answer(flow, loopback, options)
    except OSError as error:
        cause = f"can't wait for the answer on port {options.port}: {error.strerror}"
        raise SyncFailed("port_taken", cause, "choose another with --port, and forward that one") from error
    if "error" in answer:
        raise _refused(answer["error"], answer.get("error_description", ""))
    if not answer.get("code"):
        raise _refused("no code", "")
    try:
        flow.fetch_token(code=answer["code"], timeout=TIMEOUT_S[1])
    except Warning as error:  # oauthlib raises one when other scopes were granted than asked for
        granted = ", ".join(getattr(error, "new_scope", None) or ()) or "nothing"
        raise _wrong_scope(granted) from None
    except OAuth2Error as error:
        raise _refused(error.error or "no reason", error.description or "") from None
    except requests.RequestException as error:
        cure = f"look at the network, then {_AGAIN}"
        raise SyncFailed("token_endpoint_unreachable", f"the code could not be exchanged: {error}", cure) from error


def _answer(flow: InstalledAppFlow, loopback: Loopback, options: argparse.Namespace) -> Mapping[str, str]:
    flow.redirect_uri = loopback.redirect_uri
    # PKCE (S256) and access_type=offline are the library's own; without prompt=consent Google gives no refresh token to
    # an account that consented before.
    url, state = flow.authorization_url(prompt="consent")
    loopback.expect(state)
    sys.stdout.write(_PROMPT.format(url=url))
    if not options.no_browser and _has_browser():
        webbrowser.open(url)
    try:
        return loopback.wait(options.timeout)
    except Silent:
        cause = f"the consent page was not answered for {options.timeout} seconds"
        cure = f"{_AGAIN}, and allow; by hand, forward port {loopback.port} to your machine (`fab reauth` does)"
        raise SyncFailed("consent_timeout", cause, cure) from None
    except InputEnded:
        raise SyncFailed("consent_ended", "the operator went away before the answer came", _AGAIN) from None


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _refused(error: str, description: str) -> SyncFailed:
    said = f"{error}: {description}" if description else error
    if error == "access_denied":
        return SyncFailed(
            "consent_denied", "the user, or a rule of the Workspace, denied access", f"{_AGAIN}, and allow"
        )
    if error in ("invalid_client", "deleted_client", "unauthorized_client"):
        cure = f"put the client's own file in place (port_sheet_client.json), then {_AGAIN}"
        return SyncFailed("client_invalid", f"Google does not accept the OAuth client ({said})", cure)
    cure = f"{_AGAIN}, and use the address that it prints, once and within ten minutes"
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


def _proven(flow: InstalledAppFlow, path: Path) -> str:
    """Prove the token by a harmless write; return what was proven. Raises `SyncFailed`."""
    try:
        found = load(path, "sync", settings.read)
    except Invalid as error:
        return f"Not proven by a write: {error}.\n"
    if not found.spreadsheet_id:
        return "Not proven by a write: sync.spreadsheet_id is not set yet.\n"
    try:
        fresh = Secret(flow.credentials.token)
        # One that is not accepted is not renewed: it was given a moment ago.
        proof.prove(found, Access(fresh, lambda: fresh), proof.any_tab)
    except SyncFailed as failed:
        raise proof.refused_account(failed, "the account that you signed in as") from None
    return f"Proven: it may write into the spreadsheet {found.spreadsheet_id}.\n"


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
        sync_folder(path.parent)
    except OSError as error:
        cause = f"the token could not be written to {path}: {error.strerror}"
        raise SyncFailed(
            "token_unwritable", cause, f"give that folder room and rights (run as root), then {_AGAIN}"
        ) from error


def _done(path: Path, content: Mapping[str, Any], *, proven: str) -> str:
    days = content.get("refresh_token_expires_in", 0) / 86400
    warning = f"It dies in {days:.0f} days: the app's status is Testing; publish it, then {_AGAIN}.\n" if days else ""
    granted = ", ".join(content["granted_scopes"])
    return f"{path} has a fresh refresh token (0600), granted {granted}.\n{proven}{warning}"


def _start_sync() -> None:
    sys.stdout.write("One sync runs now ...\n")
    try:
        # It waits for the run's end; how that went is in the report.
        subprocess.run(_SYNC, check=False, capture_output=True)
    except OSError as error:
        cure = "run it by hand: systemctl start port-sheet-sync.service"
        raise SyncFailed("sync_not_started", f"the sync could not be started: {error.strerror}", cure) from error


def _synced(
    since: datetime, start: Callable[[], None], state: Path, pause: Callable[[float], None] = time.sleep
) -> SyncRun:
    """Run the sync until a run that began after `since` has ended, and return its report. Raises `SyncFailed`."""
    runs = elsewhere = 0
    while runs < _RUNS and elsewhere < _ELSEWHERE:
        start()
        run = _latest(state)
        if run and run.outcome is SyncOutcome.ELSEWHERE:
            elsewhere += 1
            pause(_ELSEWHERE_S)
            continue
        runs += 1
        # Cron's run may have begun with the old token: starting it only waited for its end.
        if run and datetime.fromisoformat(run.started_at) >= since.replace(microsecond=0):
            if run.outcome not in (SyncOutcome.CHANGED, SyncOutcome.UNCHANGED):
                raise SyncFailed(
                    run.error or "sync_fault", run.cause or run.outcome.value, run.cure or "see its journal"
                )
            return run
    raise SyncFailed(
        "sync_not_started", "no run of the sync ended with the new token", "see `fab logs --unit port-sheet-sync`"
    )


def _latest(state: Path) -> SyncRun | None:
    try:
        return read(SyncRun, (state / report.FILE).read_bytes())
    except (OSError, Invalid):
        return None


def _say(run: SyncRun) -> None:
    figures = f"{run.rows_read} bookings, {run.added} added, {run.changed} changed, {run.removed} marked as removed"
    sys.stdout.write(f"The run of {run.finished_at} brought the sheet in step: {figures}.\n")


if __name__ == "__main__":
    sys.exit(main())

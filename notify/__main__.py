"""`python -m notify`: the sender, as jada-notify.service runs it; `test` and `tell` send to all targets at once."""

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path

from notify import direct, failed
from notify.heartbeat import Heartbeat, seen
from notify.send import send
from notify.sender import Sender
from notify.settings import TARGETS, is_whole, read, read_targets
from wire import log
from wire.addresses import needs_token
from wire.called import called
from wire.client import Client
from wire.secret import Secret
from wire.settings_file import load
from wire.terminal import printable
from wire.types import Message
from wire.values import Invalid

_log = logging.getLogger("notify")


def main() -> int:
    """Do what the command line says; return the exit code."""
    options = _options()
    log.start("%(levelname)s %(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry is a line of its own
    try:
        if options.command == "test":
            return _test(options)
        if options.command == "heartbeat":
            return _heartbeat()
        if options.command == "tell":
            return _send_all(direct.message(options.id, direct.on(options.subject, called()), sys.stdin.read()))
        if options.command == "failed":
            return _failed(options)
        return _work(options.settings)
    except (Invalid, OSError) as error:
        sys.stderr.write(printable(f"notify: {error}") + "\n")
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m notify", description="Sends what waits for a user.")
    parser.add_argument("--settings", type=Path, default=Path("/etc/jada/jada.toml"), help="(default: %(default)s)")
    commands = parser.add_subparsers(dest="command")
    test = commands.add_parser("test", help="send a test to every target; print each one's answer as a line of JSON")
    test.add_argument("--state", type=Path, required=True, help="the folder that keeps which targets were tested")
    test.add_argument("--unless-tested", action="store_true", help="send nothing where a target was tested before")
    commands.add_parser("heartbeat", help="ask whether the service of heartbeat_url takes calls; prints a line of JSON")
    tell = commands.add_parser("tell", help="send the text on standard input to every target, past the outbox")
    tell.add_argument("--id", required=True, help="the message's id: the same for the same fact")
    tell.add_argument("--subject", required=True)
    fail = commands.add_parser("failed", help="report a unit that failed, as systemd's OnFailure= starts it")
    fail.add_argument("unit")
    fail.add_argument("--state", type=Path, required=True, help="the folder that keeps when a unit was reported")
    return parser.parse_args()


def _work(settings_path: Path) -> int:
    settings = load(settings_path, "notify", read)
    # Short tries: the sender asks again by itself.
    url = settings.dashboard_url
    token = Secret(_credential("dashboard_token").strip()) if needs_token(url) else None
    client = Client(url, token, timeout_s=5, retries=0)
    sender = Sender(client, _targets(), send, settings.poll_seconds)
    heartbeat = Heartbeat(client, Secret(_credential("heartbeat_url")), time.monotonic)
    # Ended by SIGTERM at any point: what is not settled is sent again, under its id.
    while True:
        pause_s = sender.look()
        # What is worth a message may change what the service outside is to hear.
        heartbeat.beat(news=sender.has_news)
        time.sleep(pause_s)


def _test(options: argparse.Namespace) -> int:
    targets = _targets()
    tested = direct.Tested(options.state / "tested.json")
    if options.unless_tested and tested.holds(targets):
        return 0
    results = direct.send_all(targets, direct.test_message(time.time()), send)
    for name, result in results.items():
        sys.stdout.write(json.dumps({"target": name, "delivered": result.delivered, "answer": result.answer}) + "\n")
    tested.keep(targets, results)
    return 0 if any(result.delivered for result in results.values()) else 1


def _heartbeat() -> int:
    taken, answer = seen(Secret(_credential("heartbeat_url")))
    sys.stdout.write(json.dumps({"taken": taken, "answer": answer}) + "\n")
    return 0


def _failed(options: argparse.Namespace) -> int:
    last, now = failed.LastReport(options.state, options.unit), time.time()
    if last.is_recent(now) or failed.is_reported(options.unit, os.environ):
        return 0
    whole = load(options.settings, "dashboard", is_whole)
    code = _send_all(failed.report(options.unit, os.environ, failed.journal(options.unit), whole=whole, host=called()))
    if code == 0:
        last.keep(now)
    return code


def _send_all(message: Message) -> int:
    results = direct.send_all(_targets(), message, send)
    for name, result in results.items():
        level = logging.INFO if result.delivered else logging.WARNING
        _log.log(level, "%s to %s: %s", message.id, name, result.answer)
    return 0 if any(result.delivered for result in results.values()) else 1


def _targets() -> dict[str, Secret]:
    return dict(read_targets(_credential(TARGETS)))


def _credential(name: str) -> str:
    """Read one of the unit's credentials (LoadCredential=)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise Invalid("CREDENTIALS_DIRECTORY", f"is not set: it names the folder that has {name}; systemd sets it")
    return (Path(folder) / name).read_text("utf-8")


if __name__ == "__main__":
    sys.exit(main())

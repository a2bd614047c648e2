"""`python -m trial`: make one box on a real account, prove it, give it work, and destroy it, with its bill."""

import argparse
import os
import secrets
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import boto3

from provision import stack_file
from provision.errors import CommandError
from provision.system.secrets import SECRETS
from trial.box import ROOT, Box, left_behind
from trial.offer import Bill, Offer, TrialRefused, require_yes
from trial.people import Editor, People
from trial.transcript import Transcript, finish_undisturbed, interrupt_once
from trial.work import Spent, one_run, one_sheet, one_task, queue
from wire.types import USD_MICROS_LIMIT

REPORTS = ROOT / "report" / "real-check"
LEAST_USD, MOST_USD = 0.01, USD_MICROS_LIMIT / 1e6
PEOPLE = "people at the sheet beside the sync"
EXAMPLES = ("bookings.example.com", "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg")
"""Values of jada.prod.toml that stand for the operator's own."""


def main() -> int:
    """Offer, ask, try, remove; returns 0 only when all was proven and all is gone."""
    args = _arguments()
    host = args.remove or f"trial-{secrets.token_hex(3)}"
    box = Box(host, args.region, REPORTS / host, args.rehearse)
    try:
        if args.remove:
            box = left_behind(host, REPORTS / host, rehearsal=args.rehearse)
            return _remove(box, _transcript(box))
        offer = _offer(args, host)
        sys.stdout.write("This will make, write and spend:\n" + "".join(f"  {line}\n" for line in offer.lines()))
        require_yes(args.yes or _typed())
    except (TrialRefused, CommandError) as error:
        sys.stderr.write(f"jada: {error}\n")
        return 2
    return _trial(args, offer, box)


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trial", description=__doc__)
    parser.add_argument(
        "--settings", type=Path, default=ROOT / "jada.prod.toml", help="your settings, deployed as they are"
    )
    parser.add_argument("--secrets", type=Path, help="a folder whose files are named like the secrets")
    parser.add_argument("--cidr", action="append", default=[], help="your address, as 203.0.113.7/32; may be repeated")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--bundle", default="micro_3_0")
    parser.add_argument("--usd", type=float, default=0.5, help="dollars that the task may cost")
    parser.add_argument("--editor", type=Path, help="a token of another account, whose people edit the sheet")
    parser.add_argument("--yes", help='the word "yes"; asked for otherwise')
    parser.add_argument("--rehearse", action="store_true", help="on this machine's local cloud, which must be up")
    parser.add_argument("--remove", metavar="HOST", help="only remove what a trial that was killed left")
    return parser.parse_args(words)


def _offer(args: argparse.Namespace, host: str) -> Offer:
    """Check all that can be checked before anything is made. Raises `TrialRefused` or `CommandError`."""
    # So asked that nan is refused too.
    if not LEAST_USD <= args.usd <= MOST_USD:
        raise TrialRefused(f"USD: a task may cost from {LEAST_USD} to {MOST_USD:g} dollars, not {args.usd:g}")
    settings = ROOT / "jada.local.toml" if args.rehearse else args.settings
    stack_file.load(settings)
    text = settings.read_text(encoding="utf-8")
    read = tomllib.loads(text)
    if examples := [word for word in EXAMPLES if word in text]:
        raise TrialRefused(
            f"{settings.name} still has the example {examples[0]}: write your own; a copy of the sheet will do"
        )
    if read["sync"].get("enabled") is False:
        raise TrialRefused(f"the sync is off in {settings.name}: say enabled = true in its [sync], the trial runs it")
    if not args.rehearse and not args.cidr:
        raise TrialRefused("from which address will you reach the box? Give CIDR=203.0.113.7/32")
    needed = [name for name, secret in SECRETS.items() if not secret.optional]
    if args.editor and not args.editor.is_file():
        raise TrialRefused(f"there is no editor's token {args.editor}")
    if lacking := [name for name in needed if not _given(args.secrets, name)]:
        raise TrialRefused(f"secrets are missing: {', '.join(lacking)}. Give SECRETS=FOLDER with files of these names")
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise TrialRefused("there are no AWS credentials: set AWS_PROFILE, or the two AWS_ variables")
    return Offer(
        host=host, account=f"access key …{credentials.access_key[-4:]}", region=args.region, bundle=args.bundle,
        usd=args.usd, model=read["agent"]["model"], spreadsheet=read["sync"]["spreadsheet_id"],
        worksheet=read["sync"].get("worksheet", "Bookings"),
    )  # fmt: skip


def _given(folder: Path | None, name: str) -> bool:
    return (folder is not None and (folder / name).is_file()) or SECRETS[name].variable in os.environ


def _typed() -> str | None:
    if not sys.stdin.isatty():
        return None
    try:
        return input('Type "yes" to go on: ').strip()
    except EOFError:  # Ctrl-D
        sys.stdout.write("\n")
        return None


def _transcript(box: Box) -> Transcript:
    return Transcript(box.folder / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}.txt", sys.stdout)


def _trial(args: argparse.Namespace, offer: Offer, box: Box) -> int:
    """Run the trial and, whatever happens, the removal; the transcript ends with what both came to."""
    transcript, spent, began = _transcript(box), Spent(), time.monotonic()
    interrupt_once()
    _head(transcript, offer)
    proven, untried = False, [PEOPLE]
    try:
        untried = _steps(args, box, transcript, spent)
        proven = True
    except Exception as error:  # noqa: BLE001 - whatever it was, the removal and the bill come after it
        transcript.say(f"NOT PROVEN: {error} ({type(error).__name__})")
    except KeyboardInterrupt:
        transcript.say("NOT PROVEN: interrupted")
    finally:
        finish_undisturbed()
        gone = _remove(box, transcript) == 0
    for line in Bill(time.monotonic() - began, spent.model_usd, whole=proven).lines(offer.bundle):
        transcript.say(line)
    if proven and gone:
        for what in untried:
            transcript.say(f"not tried: {what}")
        people = "" if untried else f", {PEOPLE}"
        transcript.say(f"PROVEN: made, deployed, verified, worked a task, synced a sheet{people}, destroyed")
    transcript.say_where()
    return 0 if proven and gone else 1


def _head(transcript: Transcript, offer: Offer) -> None:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    transcript.say(
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip() or 'unknown'}, Python {sys.version.split()[0]}"
    )
    for line in offer.lines():
        transcript.say(line)


def _steps(args: argparse.Namespace, box: Box, transcript: Transcript, spent: Spent) -> list[str]:
    """Try all of it; return what was not tried."""
    box.write_files(args.settings, args.bundle, args.cidr)
    box.make(transcript)
    source = ("--from", str(args.secrets)) if args.secrets else ()
    box.fab(transcript, "secrets", *source)
    box.fab(transcript, "deploy")
    box.fab(transcript, "verify")
    with queue(box) as client:
        one_task(client, args.usd, spent, transcript)
        one_sheet(box, client, transcript)
        if args.editor is None:
            return [f"{PEOPLE}: no EDITOR_TOKEN= was given"]
        section = tomllib.loads(box.settings.read_text(encoding="utf-8"))["sync"]
        return People(Editor(args.editor, section), lambda: one_run(box, client, transcript), transcript).act()


def _remove(box: Box, transcript: Transcript) -> int:
    try:
        box.remove(transcript)
    except Exception as error:  # noqa: BLE001 - whatever it was, the operator must hear that a box may still cost money
        transcript.say(f"NOT REMOVED: {error}. A box may still stand and cost money: make real-check REMOVE={box.host}")
        return 1
    transcript.say("removed: Lightsail knows neither the box nor its address any more")
    return 0


if __name__ == "__main__":
    sys.exit(main())

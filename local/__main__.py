"""The local cloud from the command line: `python -m local demo | down | env | tools | clean-cache`."""

import argparse
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import urllib3.exceptions

from local import account, cloud, demo, environment, hosts, locks, network, proxy, tools
from local.commands import CommandFailed
from local.hosts.image import SUITES, cache
from local.network import AddressesTaken
from local.site import Site, add_options, chosen
from local.steps import StepFailed, Steps
from wire.client import RequestRefused, Unreachable
from wire.secret import Secret
from wire.terminal import printable

KEY = "ANTHROPIC_API_KEY"
FAILURES = (
    *(StepFailed, AddressesTaken, CommandFailed, proxy.NoAuthority),
    *(RequestRefused, Unreachable, urllib3.exceptions.HTTPError, OSError),
)
"""What ends a command with its own words: each says what failed."""


def main() -> int:
    """Run one command; returns its exit code."""
    args = _arguments()
    site = chosen(args)
    # A real key goes only to the host, by `fab secrets`: no program that is started here may see it.
    args.key = Secret(os.environ.pop(KEY, ""))
    try:
        account.adopt(account.operator(os.environ, os.geteuid()), os.environ)
        os.environ.update(proxy.settings(os.environ), JADA_SITE=site.name)
        return int(args.command(site, args) or 0)
    except locks.Held as error:
        sys.stderr.write(f"jada: {error}: wait for it, end it, or choose another site: JADA_SITE, JADA_OCTET\n")
        return 1
    except FAILURES as error:
        sys.stderr.write(f"jada: {printable(str(error), keep_newlines=True)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"\njada: interrupted\n{_remains(site)}")
        return 130


class _Parser(argparse.ArgumentParser):
    """Names a wrong value as it was typed: what are options here are make's variables."""

    def error(self, message: str) -> NoReturn:
        """End with what is wrong, in a line for who typed `make`."""
        if "JADA_TYPED" not in os.environ:
            super().error(message)
        said = re.sub("^argument --(site|octet)", "argument --jada_\\1", message)
        self.exit(2, "jada: " + re.sub("^argument --([a-z_]+)", lambda found: found[1].upper(), said) + "\n")


def _arguments() -> argparse.Namespace:
    parser = _Parser(prog="python -m local", description="This machine as jada's cloud.")
    add_options(parser, os.environ)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shown = commands.add_parser("demo", help="make a box, make it a worker, give it work, prove it; it stays up")
    shown.add_argument("--bookings", type=Path, help="a CSV of bookings; without it a season is generated")
    shown.add_argument(
        "--claude", choices=["double", "real"], default="double",
        help="who plays the model; 'real' needs ANTHROPIC_API_KEY and costs money",
    )  # fmt: skip
    shown.add_argument(
        "--hosts", type=_hosts, default=1, metavar="N",
        help="how many hosts; several share one queue in DynamoDB Local, and one of them is lost at work (default: 1)",
    )  # fmt: skip
    shown.set_defaults(command=_demo)
    commands.add_parser("down", help="remove all of it; only the tools' cache stays").set_defaults(command=_down)
    ready = commands.add_parser("tools", help="install and build what demo and tests need, into the cache")
    ready.set_defaults(command=_tools)
    clean = commands.add_parser("clean-cache", help="remove the tools' cache, and say what that frees")
    clean.set_defaults(command=_clean_cache)
    env = commands.add_parser("env", help='print shell lines: eval "$(make env)"')
    env.set_defaults(command=_env)
    return parser.parse_args()


def _hosts(text: str) -> int:
    if not re.fullmatch("[1-9]", text):
        raise argparse.ArgumentTypeError(f"a number of hosts is from 1 to 9, not {text!r}")
    return int(text)


def _demo(site: Site, args: argparse.Namespace) -> None:
    if args.bookings:
        _require_bookings(args.bookings)
    real = args.claude == "real"
    if real and not args.key.reveal():
        raise StepFailed(
            f"CLAUDE=real needs {KEY} in the environment; without it a script plays the model"
            f"{', and sudo drops it: `make demo CLAUDE=real` keeps it' if 'SUDO_UID' in os.environ else ''}"
        )
    _go_on_as_root("hosts need root", {KEY: args.key.reveal()} if real else {})
    _check()
    # Before minutes of building; a machine without `ip` gets it among the tools, and is asked again then.
    if shutil.which("ip"):
        network.require_addresses(site)
    bookings = str(args.bookings.resolve()) if args.bookings else None
    choice = demo.Choice(bookings, args.claude, site.octet, args.hosts)
    # Shared, because a test holds its site's octet over several demos.
    with locks.site(site), locks.octet(site, shared=True):
        demo.require_consent(site, choice, os.environ, _answered if sys.stdin.isatty() else None)
        try:
            demo.run(site, choice, _steps(), args.key if real else None)
        except FAILURES as error:
            raise StepFailed(f"{error}\n{_remains(site)}".rstrip()) from error


def _answered(question: str) -> str:
    try:
        return input(question)
    except EOFError:  # Ctrl-D
        sys.stdout.write("\n")
        return ""


def _require_bookings(file: Path) -> None:
    """Return when `file` can be read as bookings, by the program that will serve them. Raises `StepFailed`."""
    if not file.is_file():
        raise StepFailed(f"BOOKINGS: there is no file {file}")
    check = [sys.executable, "-m", "doubles.bookings", "--file", str(file), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailed(f"BOOKINGS: {done.stderr.strip().removeprefix('bookings: ')}")


def _remains(site: Site) -> str:
    """The last line of a failure, where something is up."""
    return f"`{account.typed(os.environ, 'down')}` removes what is up\n" if site.state.exists() else ""


def _steps() -> Steps:
    # Not in the site's state: what is installed and built is no trace of a demo.
    return Steps(cache() / "logs", operator=account.operator(os.environ, os.geteuid()))


def _go_on_as_root(why: str, more: Mapping[str, str] | None = None) -> None:
    account.require_root(why, [sys.executable, "-m", "local", *sys.argv[1:]], more or {})


def _tools(_site: Site, _args: argparse.Namespace) -> None:
    _go_on_as_root("packages and a root file system need root")
    _check()
    steps = _steps()
    with steps.step("tools: what is missing is installed or built, once"):
        tools.packages(steps, {**tools.PACKAGES, **tools.CHECKS})
        tools.browser(steps)
        tools.dynamodb(steps)
        tools.engine(steps)
        for blueprint in SUITES:
            tools.image(steps, blueprint)


def _down(site: Site, _args: argparse.Namespace) -> None:
    _go_on_as_root("hosts are root's")
    with locks.site(site):
        cloud.stop(site)
    sys.stdout.write("jada: the local cloud is gone; the tools' cache stays\n")


def _clean_cache(_site: Site, _args: argparse.Namespace) -> None:
    _go_on_as_root("images in the cache are root's")
    # By sudo the cache is the user's, but the tools of `make test` are root's: they lie in root's own.
    by_sudo = account.operator(os.environ, os.geteuid())
    roots = [Path(pwd.getpwuid(0).pw_dir, ".cache", "jada")] if by_sudo else []
    held = tools.sizes(roots)
    tools.clean(roots)
    for name, size in held.items():
        sys.stdout.write(f"  {size / 1e6:8,.0f} MB  {name}\n")
    sys.stdout.write(f"jada: {sum(held.values()) / 1e6:,.0f} MB are free again: {cache()} is gone\n")


def _env(site: Site, _args: argparse.Namespace) -> None:
    environment.require_demo(site, os.environ)
    no_proxy = os.environ.get("NO_PROXY", "")
    values = environment.variables(site, os.environ["PATH"], no_proxy)
    sys.stdout.write(environment.exports({**proxy.settings(os.environ), **values}))
    if environment.project(site) != environment.ROOT:
        # Its settings have this site's addresses: pulumi and fab act there.
        sys.stdout.write(f"cd {shlex.quote(str(environment.project(site)))}\n")


def _check() -> None:
    if obstacles := [*hosts.obstacles(), *hosts.worker_obstacles()]:
        raise StepFailed("this machine can't be the cloud:\n" + "\n".join(f"  - {obstacle}" for obstacle in obstacles))


if __name__ == "__main__":
    sys.exit(main())

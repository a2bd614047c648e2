"""The local cloud from the command line: `python -m local demo | down | env`."""

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

from local import cloud, demo, environment, hosts, locks, network, tools
from local.commands import CommandFailed
from local.hosts.image import cache
from local.network import AddressesTaken
from local.site import Site, add_options, chosen
from local.steps import StepFailed, Steps


def main() -> int:
    """Run one command; returns its exit code."""
    args = _arguments()
    site = chosen(args)
    try:
        return int(args.command(site, args) or 0)
    except locks.Held as error:
        sys.stderr.write(f"jada: {error}: wait for it, end it, or choose another site: JADA_SITE, JADA_OCTET\n")
        return 1
    except (StepFailed, AddressesTaken, CommandFailed) as error:
        sys.stderr.write(f"jada: {error}\n")
        return 1
    except KeyboardInterrupt:
        demo.interrupted()
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description="This machine as jada's cloud.")
    add_options(parser, os.environ)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shown = commands.add_parser("demo", help="make a box, make it a worker, give it work, prove it; it stays up")
    shown.add_argument("--bookings", type=Path, help="a CSV of bookings; without it a season is generated")
    shown.add_argument(
        "--claude", choices=["double", "real"], default="double",
        help="who plays the model; 'real' needs ANTHROPIC_API_KEY and costs money",
    )  # fmt: skip
    shown.set_defaults(command=_demo)
    commands.add_parser("down", help="remove all of it; only the tools' cache stays").set_defaults(command=_down)
    ready = commands.add_parser("tools", help="install and build what demo and tests need, into the cache")
    ready.set_defaults(command=_tools)
    env = commands.add_parser("env", help='print shell lines: eval "$(python -m local env)"')
    env.set_defaults(command=_env)
    return parser.parse_args()


def _demo(site: Site, args: argparse.Namespace) -> None:
    if args.bookings and not args.bookings.is_file():
        raise StepFailed(f"BOOKINGS: there is no file {args.bookings}")
    if args.claude == "real" and not os.environ.get("ANTHROPIC_API_KEY"):
        raise StepFailed(
            "CLAUDE=real needs ANTHROPIC_API_KEY in the environment; without it the double plays the model"
        )
    _check()
    # Before minutes of building; a machine without `ip` gets it among the tools, and is asked again then.
    if shutil.which("ip"):
        network.require_addresses(site)
    choice = demo.Choice(str(args.bookings.resolve()) if args.bookings else None, args.claude, site.octet)
    # Shared, because a test holds its site's octet over several demos.
    with locks.site(site), locks.octet(site, shared=True):
        demo.run(site, choice, Steps(site.state / "logs"))


def _tools(_site: Site, _args: argparse.Namespace) -> None:
    _check()
    steps = Steps(cache() / "logs")
    with steps.step("tools: what is missing is installed or built, once"):
        tools.packages(steps, {**tools.PACKAGES, **tools.CHECKS})
        tools.engine(steps)
        tools.image(steps)


def _down(site: Site, _args: argparse.Namespace) -> None:
    with locks.site(site):
        cloud.stop(site)
    sys.stdout.write("jada: the local cloud is gone; the tools' cache stays\n")


def _env(site: Site, _args: argparse.Namespace) -> None:
    engine = shutil.which("pulumi")
    folder = Path(engine).parent if engine else tools.engine(Steps(site.state / "logs"))
    sys.stdout.write(environment.exports(environment.variables(site, folder, os.environ["PATH"])))
    if environment.project(site) != environment.ROOT:
        # Its settings have this site's addresses: pulumi and fab act there.
        sys.stdout.write(f"cd {shlex.quote(str(environment.project(site)))}\n")


def _check() -> None:
    if obstacles := hosts.obstacles():
        raise StepFailed("this machine can't be the cloud:\n" + "\n".join(f"  - {obstacle}" for obstacle in obstacles))


if __name__ == "__main__":
    sys.exit(main())

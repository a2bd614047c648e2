"""`python -m local.google`: accounts, tokens and Sheets on a port of their own."""

import argparse
from pathlib import Path

from local import serve
from local.google import app
from local.site import GOOGLE, Site


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.google", description="Google's double: OAuth and Sheets.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=GOOGLE, help="0 takes any (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=Site().state / "google", help="default: %(default)s")
    parser.add_argument("--testing", action="store_true", help='publishing status "Testing": credentials live 7 days')
    options = parser.parse_args()
    application = app.create(options.state, testing=options.testing)
    serve.run("google", application, options.host, options.port)


if __name__ == "__main__":
    main()

"""`python -m doubles.google`: accounts, tokens and Sheets on a port of their own."""

import argparse
import sys
from pathlib import Path

from doubles.google import app
from local import serve
from local.site import GOOGLE, Site


def main() -> None:
    """Read the command line and serve; what is missing ends it with exit code 1 and the reason."""
    parser = argparse.ArgumentParser(prog="python -m doubles.google", description="Google's double: OAuth and Sheets.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=GOOGLE, help="0 takes any (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=Site().state / "google", help="default: %(default)s")
    parser.add_argument("--testing", action="store_true", help='publishing status "Testing": credentials live 7 days')
    options = parser.parse_args()
    try:
        application = app.create(options.state, testing=options.testing)
    except ModuleNotFoundError as error:
        sys.exit(f"google: {error}: the double needs the package google-api-python-client, of the group dev (uv sync)")
    except OSError as error:
        sys.exit(f"google: {error}")
    serve.run("google", application, options.host, options.port)


if __name__ == "__main__":
    main()

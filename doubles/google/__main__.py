"""`python -m doubles.google`: accounts, tokens and Sheets on a port of their own."""

import sys

from doubles.google import services
from local import serve
from local.site import GOOGLE


def main() -> None:
    """Read the command line and serve; what is missing ends it with exit code 1 and the reason."""
    parser = serve.parser("doubles.google", GOOGLE, description="Google's double: OAuth and Sheets.")
    parser.add_argument("--testing", action="store_true", help='publishing status "Testing": credentials live 7 days')
    given = parser.parse_args()
    try:
        application = services.create(serve.site("google", given).state, testing=given.testing)
    except ModuleNotFoundError as error:
        sys.exit(f"google: {error}: it needs google-api-python-client, of the group doubles (uv sync)")
    except OSError as error:
        sys.exit(f"google: {error}")
    serve.run("google", application, given)


if __name__ == "__main__":
    main()

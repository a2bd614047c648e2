"""`python -m doubles.bookings`: the booking system's API on a port of its own."""

import sys
from datetime import date
from pathlib import Path

from doubles.bookings import rest
from doubles.bookings.dataset import UnreadableFile, load
from local import serve
from local.site import BOOKINGS


def main() -> None:
    """Read the command line and serve; a file that can't be read ends it with exit code 1 and the reason."""
    parser = serve.parser("doubles.bookings", BOOKINGS, description="The booking system's double.")
    parser.add_argument("--file", type=Path, help="bookings from a CSV file: our own columns, or the published set's")
    parser.add_argument("--seed", type=int, default=rest.SEED, help="another season (default: %(default)s)")
    parser.add_argument("--count", type=int, default=rest.COUNT, help="its bookings (default: %(default)s)")
    parser.add_argument(
        "--first",
        type=date.fromisoformat,
        default=rest.FIRST,
        metavar="DATE",
        help="its first day (default: %(default)s)",
    )
    parser.add_argument("--check", action="store_true", help="only read the file, and end")
    given = parser.parse_args()
    source = {"file": given.file, "seed": given.seed, "count": given.count, "first": given.first}
    try:
        if given.check:
            check(given.file)
            return
        application = rest.create(serve.site("bookings", given).state, **source)
    except (UnreadableFile, OSError) as error:
        sys.exit(f"bookings: {error}")
    serve.run("bookings", application, given)


def check(file: Path) -> None:
    """Read a file of bookings. Raises `UnreadableFile`, also for one without a booking, and `OSError`."""
    if not load(file, date.today()):  # noqa: DTZ011 - hotels count days by their wall
        raise UnreadableFile(f"{file} has no bookings, only its first line")


if __name__ == "__main__":
    main()

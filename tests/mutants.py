"""What `mutmut run` found, file by file: how many of our rules can be broken without a test that fails."""

import json
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

KILLED = {"killed", "caught by type check", "timeout"}
LEAST_PERCENT = 95


def main() -> int:
    """Print each file's share of killed mutants, and each survivor; returns 1 when a file has too few killed."""
    below = 0
    for meta in sorted(Path("mutants").rglob("*.py.meta")):
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        statuses = {name: status_by_exit_code[code] for name, code in codes.items()}
        counts = Counter(statuses.values())
        percent = 100 * sum(counts[status] for status in KILLED) / max(1, len(statuses))
        below += percent < LEAST_PERCENT
        file = meta.relative_to("mutants").with_suffix("")
        print(f"{percent:5.1f} %  {file}  {', '.join(f'{n} {status}' for status, n in counts.most_common())}")  # noqa: T201
        for name, status in statuses.items():
            if status not in KILLED:
                print(f"         {status}: mutmut show {name}")  # noqa: T201
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())

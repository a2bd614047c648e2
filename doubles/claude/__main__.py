"""`python -m doubles.claude`: the double alone, for the vendor's own client or curl."""

import argparse
from pathlib import Path

from doubles.claude.app import VERSION, create
from local.serve import run
from local.site import CLAUDE, Site

_TEACHES = """\
Try it:
  ANTHROPIC_BASE_URL=http://127.0.0.1:8701 ANTHROPIC_API_KEY=any python -c '
  import anthropic
  print(anthropic.Anthropic().messages.create(model="claude-sonnet-5-5", max_tokens=500,
        messages=[{"role": "user", "content": "Hello"}]).content)'
  curl http://127.0.0.1:8701/v1/models -H 'Authorization: Bearer any' -H 'anthropic-version: VERSION'

Conversations are played by scripts, matched on the first user message: "Season occupancy", "Check every booking",
"Ask about the group booking"; any other one gets a short look around with bash, then an end.

Bad days, for the next TIMES requests, or for all until DELETE:
  curl http://127.0.0.1:8701/_local/faults -d '{"status": 529, "times": 3, "retry_after": 1}'
  curl http://127.0.0.1:8701/_local/faults -d '{"hang_s": 20, "times": 1}'
  curl http://127.0.0.1:8701/_local/faults -d '{"after_events": 5, "times": 1}'
  curl http://127.0.0.1:8701/_local/faults -d '{"hold": true, "times": 1, "match": "Season occupancy", "turn": 3}'
  curl http://127.0.0.1:8701/_local/faults               (what is ordered, and how many answers are held)
  curl -X DELETE http://127.0.0.1:8701/_local/faults     (all is well again, and held answers go out)
The bill: curl http://127.0.0.1:8701/_local/requests
"""


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(
        prog="python -m doubles.claude",
        description="The Messages API, played by scripts and held to the anthropic package's own types.",
        epilog=_TEACHES.replace("VERSION", VERSION),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=CLAUDE, help="port; 0 takes any (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=Site().state / "claude", help="folder (default: %(default)s)")
    arguments = parser.parse_args()
    run("claude", create(arguments.state), arguments.host, arguments.port)


if __name__ == "__main__":
    main()

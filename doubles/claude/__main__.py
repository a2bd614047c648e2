"""`python -m doubles.claude`: the double by itself, for the vendor's own client or curl."""

import argparse

from doubles.claude.app import VERSION, create
from local import serve
from local.site import CLAUDE

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
    parser = serve.parser(
        "doubles.claude", CLAUDE,
        description="The Messages API, played by scripts and held to the anthropic package's own types.",
        epilog=_TEACHES.replace("VERSION", VERSION),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    given = parser.parse_args()
    serve.run("claude", create(serve.site("claude", given).state), given)


if __name__ == "__main__":
    main()

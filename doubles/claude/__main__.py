"""`python -m doubles.claude`: the double by itself, for the vendor's own client or curl."""

import argparse
import gc
import sys
import typing
from pathlib import Path

# A quarter of what the vendor's package takes to import went into looking for rings among its types, which stay.
gc.disable()

from doubles.claude.faults import Odd  # noqa: E402 - see above
from doubles.claude.messages import VERSION, create  # noqa: E402 - see above
from doubles.claude.script import load  # noqa: E402 - see above
from doubles.reading import Invalid  # noqa: E402 - see above
from local import serve  # noqa: E402 - see above
from local.site import CLAUDE  # noqa: E402 - see above

gc.freeze()
gc.enable()

_TEACHES = """\
Try it:
  ANTHROPIC_BASE_URL=http://127.0.0.1:8701 ANTHROPIC_API_KEY=any python -c '
  import anthropic
  print(anthropic.Anthropic().messages.create(model="claude-sonnet-5-5", max_tokens=500,
        messages=[{"role": "user", "content": "Hello"}]).content)'
  curl http://127.0.0.1:8701/v1/models -H 'Authorization: Bearer any' -H 'anthropic-version: VERSION'

Conversations are played by scripts, matched on the first user message: "Season occupancy", "Check every booking",
"Ask about the group booking"; any other one gets a short look around with bash, then an end.

Your own conversations, one answer after another, are a TOML or JSON file for --script:
  [[conversation]]
  match = "Weekly report"            # a part of the first user message
  [[conversation.answer]]
  text = "I'll look."
  calls = [{ name = "bash", input = { command = "ls" } }]
  [[conversation.answer]]
  fault = { status = 529 }           # a bad day as below; it is met once, and asked again it answers
  text = "Done."
  stop_reason = "end_turn"           # where it is not what follows; `blocks` has the content as it is
One that asks for more answers than it has gets a 501.

Bad days, for the next TIMES requests, or for all until DELETE:
  curl http://127.0.0.1:8701/_local/faults -d '{"status": 529, "times": 3, "retry_after": 1}'
  curl http://127.0.0.1:8701/_local/faults -d '{"hang_s": 20, "times": 1}'
  curl http://127.0.0.1:8701/_local/faults -d '{"after_events": 5, "times": 1}'
  curl http://127.0.0.1:8701/_local/faults -d '{"status": 429, "retry_after": "inf", "times": 1}'
  curl http://127.0.0.1:8701/_local/faults -d '{"status": 400, "message": "Your credit balance is too low"}'
  curl http://127.0.0.1:8701/_local/faults -d '{"odd": "html", "times": 1}'   (ODDS)
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
        epilog=_TEACHES.replace("VERSION", VERSION).replace("ODDS", ", ".join(typing.get_args(Odd))),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--script", type=Path, help="a file of conversations to play, as below")
    given = parser.parse_args()
    try:
        script = load(given.script) if given.script else None
    except Invalid as error:
        sys.exit(f"claude: {error.reason}. The forms are in `python -m doubles.claude --help`")
    serve.run("claude", create(serve.site("claude", given).state, script=script), given)


if __name__ == "__main__":
    main()

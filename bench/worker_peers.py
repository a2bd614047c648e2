"""The loop of a peer over the same sandbox, run in a process of its own: `python -m bench.worker_peers URL WORKSPACE`.

The SDK's own tool runner, as its documentation has it, with a bash tool in our sandbox, which is made anew for each
call; nothing is written down on the way.
"""

import math
import sys
import time
from pathlib import Path

import anthropic
from anthropic import beta_tool

from agent.sandbox.run import Sandbox
from agent.sandbox.waiting import Job
from agent.settings import Settings, ToolLimits


def main() -> None:
    """Work until the model ends."""
    url, workspace = sys.argv[1], Path(sys.argv[2])
    sandbox = Sandbox(workspace, ToolLimits(), time.monotonic, lambda: math.inf)

    @beta_tool
    def bash(command: str) -> str:
        """Run a bash command.

        Args:
            command: the command
        """
        outcome = sandbox.run(Job(["/bin/bash", "--noprofile", "--norc", "-c", command]))
        return (outcome.head + outcome.tail).decode(errors="replace")

    client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    client.beta.messages.tool_runner(
        model=Settings().model,
        max_tokens=Settings().max_tokens,
        system="You write lines with bash.",
        tools=[bash],
        messages=[{"role": "user", "content": "Write the lines."}],
        thread=False,  # the whole conversation each time, as we send it
    ).until_done()


if __name__ == "__main__":
    main()

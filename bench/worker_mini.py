"""The loop of mini-swe-agent over its own sandbox: `PYTHON -m bench.worker_mini URL WORKSPACE`, PYTHON being one of an
environment that has mini-swe-agent, which with its libraries takes 750 MB and so is none of ours.

Its agent as its documentation has it: bash by tool calls, bubblewrap, the trajectory written behind each step.
"""

import os
import sys
from pathlib import Path

# Before it is imported: it would ask GitHub for prices, greet, and want its settings told.
os.environ |= {"MSWEA_SILENT_STARTUP": "1", "MSWEA_CONFIGURED": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.extra.bubblewrap import BubblewrapEnvironment
from minisweagent.models.litellm_model import LitellmModel

SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""The command that ends it."""


def main() -> None:
    """Work until the model ends."""
    url, workspace = sys.argv[1], Path(sys.argv[2])
    model = LitellmModel(
        model_name="anthropic/claude-sonnet-5-5",
        model_kwargs={"api_base": url, "api_key": "none", "max_tokens": 8192},
        cost_tracking="ignore_errors",
    )
    agent = DefaultAgent(
        model,
        BubblewrapEnvironment(cwd=str(workspace)),
        system_template="You write lines with bash.",
        instance_template="{{task}} End by the command `" + SUBMIT + "`.",
        cost_limit=0,
        output_path=workspace.with_name("trajectory.json"),
    )
    said = agent.run("Write the lines.")
    if said.get("exit_status") != "Submitted":
        raise SystemExit(str(said))


if __name__ == "__main__":
    main()

"""What a policy of docs/iam allows, read as IAM does: by a statement with the action, all of whose conditions hold."""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "iam"
PLACES = {"REGION": "us-east-1", "STACK": "local"}


def statements(name, **places):
    """The statements of a policy, its places filled in."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    for place, value in {**PLACES, **places}.items():
        text = text.replace(place, value)
    return json.loads(text)["Statement"]


def actions(name, service):
    """What a policy speaks of, without the service's name."""
    named = [action for statement in statements(name) for action in statement["Action"]]
    return {action.partition(":")[2] for action in named if action.startswith(f"{service}:")}


def allows(name, action, *, request=None, resource=None, region="us-east-1", stack="local"):
    """Whether a policy allows a call of Lightsail with these tags in the request and on its resource."""
    asked = {f"aws:RequestTag/{key}": value for key, value in (request or {}).items()}
    held = {f"aws:ResourceTag/{key}": value for key, value in (resource or {}).items()}
    context = {"aws:RequestedRegion": region, **asked, **held}
    return any(
        f"lightsail:{action}" in statement["Action"] and _holds(statement.get("Condition", {}), context)
        for statement in statements(name, STACK=stack)
        if statement["Effect"] == "Allow"
    )


def _holds(condition, context):
    operators = {
        "StringEquals": lambda key, value: context.get(key) == value,
        "StringEqualsIfExists": lambda key, value: context.get(key, value) == value,
    }
    return all(operators[name](key, value) for name, pairs in condition.items() for key, value in pairs.items())


def refused(name, calls, **where):
    """The calls of the double's ledger that a policy does not allow."""
    return [
        call["action"]
        for call in calls
        if not allows(name, call["action"], request=call["request_tags"], resource=call["resource_tags"], **where)
    ]

"""Who this machine is in AWS, and what it may do there: asked of STS and of IAM's own simulator."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from provision.reach import aws_errors


class CannotSimulate(Exception):
    """IAM does not say what this identity may do; the text says why."""


def arn(sts: Any) -> str:
    """Return the ARN under which this machine acts; raises `CommandError`."""
    try:
        return str(sts.get_caller_identity()["Arn"])
    except (ClientError, BotoCoreError) as error:
        raise aws_errors.explained("this account", error, local=False) from error


def denied(iam: Any, caller: str, actions: Iterable[str], context: Mapping[str, str]) -> tuple[str, ...]:
    """Return which actions the caller's policies deny in a context (condition key → value); raises `CannotSimulate`."""
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    try:
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=_policy_source(iam, caller), ActionNames=sorted(actions), ContextEntries=entries
        )
        results = [result for page in pages for result in page["EvaluationResults"]]
    except (ClientError, BotoCoreError) as error:
        raise CannotSimulate(_why(error)) from error
    return tuple(result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed")


def context(region: str, stack: str) -> dict[str, str]:
    """Return what a call about a stack's host brings along, as docs/iam's conditions ask for it."""
    tags = {"project": "jada", "stack": stack}
    asked = {f"aws:{kind}Tag/{name}": value for kind in ("Resource", "Request") for name, value in tags.items()}
    return {"aws:RequestedRegion": region, **asked}


def _policy_source(iam: Any, caller: str) -> str:
    """The user or role whose policies count: a session of a role has none of its own."""
    if found := re.fullmatch(r"arn:[^:]+:sts::\d+:assumed-role/([^/]+)/.+", caller):
        # Its ARN has the role's path, which the session's does not.
        return str(iam.get_role(RoleName=found[1])["Role"]["Arn"])
    if not re.fullmatch(r"arn:[^:]+:iam::\d+:user/.+", caller):
        raise CannotSimulate(f"{caller} is neither a user nor a role, whose policies could be simulated")
    return caller


def _why(error: ClientError | BotoCoreError) -> str:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if code in ("AccessDenied", "AccessDeniedException"):
        return "this identity may not ask IAM (iam:SimulatePrincipalPolicy, for a role iam:GetRole)"
    return f"IAM did not answer: {error}"

"""What the API says of key, account and model, whatever the task: by its status, with the cure."""

HOST_WIDE = {
    401: "The API does not take the key: put a valid one in place with `fab secrets`; tasks wait for it.",
    402: "The API wants payment: settle the account's billing; tasks wait for it.",
    403: "The key may not do this: give one that may with `fab secrets`; tasks wait for it.",
    404: "The API has no such model or address: correct `model` or `claude_url` in [agent]; tasks wait for it.",
}
"""Refusals that would meet every task: no task is at fault."""

"""`fab token.*`: tokens by which programs on other hosts reach a host's queue, where its settings open a port."""

from invoke.collection import Collection
from invoke.context import Context

from provision.commands.options import JSON, ONE_HOST, task
from provision.commands.queue import queue_client
from provision.errors import CommandError
from provision.progress import Progress, print_json
from wire.types import AskedToken, Token
from wire.values import Invalid, decode


@task(
    positional=[],
    help={
        **ONE_HOST,
        **JSON,
        "name": "for whom it is: it stands in the list, and beside what its holder does",
        "scope": "what it may: agent (work sessions), sync (report runs), tell (send), metrics, operator (all)",
    },
    example="fab token.make --name worker-2 --scope agent",
)
def make(
    _context: Context, name: str, scope: str, *, json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Make a token and print it, this once; the other host takes it as its secret dashboard_token."""
    if not name or not scope:
        raise CommandError("a token needs a --name and a --scope", "`fab help token.make` says what each takes")
    try:
        asked = decode(AskedToken, {"name": name, "scope": scope})
    except Invalid as error:
        raise CommandError(f"--{error.field} {error.reason}", "`fab help token.make` says what each takes") from error
    with queue_client(stack, host) as client:
        made = client.make_token(asked)
    if json:
        print_json(made)
        return
    Progress().say(made.text)
    Progress(aside=True).note(f"{line(made.token)}; it is not shown again")


@task(name="list", help={**ONE_HOST, **JSON}, example="fab token.list")
def list_(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """List the tokens that are taken, oldest first: id, scope, since when, for whom."""
    with queue_client(stack, host) as client:
        held = client.tokens()
    if json:
        print_json(held)
        return
    for each in held:
        Progress().say(line(each))
    if not held:
        Progress(aside=True).note("no token is taken; on its own host the queue needs none")


@task(
    positional=["token_id"],
    help={**ONE_HOST, "token-id": "the token's id, as `fab token.list` prints it"},
    example="fab token.revoke 01M7ZQGWJRQ9MW3ETQ7MW30V00",
)
def revoke(_context: Context, token_id: str, stack: str | None = None, host: str | None = None) -> None:
    """Take a token no more, at once."""
    with queue_client(stack, host) as client:
        Progress().say(f"{line(client.revoke_token(token_id))}: revoked")


def line(token: Token) -> str:
    """Say a token as one line."""
    return f"{token.id}  {token.scope.value:<8}  {token.made_at}  {token.name}"


namespace = Collection("token", make, list_, revoke)

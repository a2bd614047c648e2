"""Tokens as a dashboard of the tests takes them."""

from secrets import token_urlsafe

from dashboard.application import utc_now
from dashboard.tokens import Tokens
from wire.types import Scope


def accepting(secret, scope=Scope.OPERATOR, file=None):
    """A dashboard's tokens, of which the first is known beforehand."""
    known = [secret.reveal()]
    tokens = Tokens(file, utc_now, lambda: known.pop() if known else token_urlsafe())
    tokens.make("the tests", scope)
    return tokens

"""The page on which the user gives a program access, and the one that says why it cannot be asked for."""

from collections.abc import Sequence
from html import escape

from starlette.responses import HTMLResponse, Response

_STYLE = "body{font:16px/1.5 sans-serif;max-width:34rem;margin:4rem auto}label{display:block}button{font:inherit}"


def consent_page(scopes: Sequence[str]) -> Response:
    """Return the form: a box for each scope, allow and deny. It is sent to where it came from."""
    boxes = "".join(
        f'<label><input type="checkbox" name="scope" value="{escape(scope)}" checked> {escape(scope)}</label>'
        for scope in scopes
    )
    return _page(
        "A program asks to act for you",
        f'<form method="post"><input type="hidden" name="scope"><p>It wants to:</p>{boxes}'
        '<p><button name="decision" value="allow">Allow</button> '
        '<button name="decision" value="deny">Deny</button></p></form>',
    )


def refusal_page(status: int, error: str, sentence: str) -> Response:
    """Return the page that ends a request for consent before the user is asked."""
    return _page("Access blocked", f"<p>{escape(sentence)}</p><p>Error {status}: {escape(error)}</p>", status)


def _page(title: str, body: str, status: int = 200) -> Response:
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return HTMLResponse(f'<!DOCTYPE html><html lang="en">{head}<h1>{title}</h1>{body}</html>', status)

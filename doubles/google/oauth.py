"""OAuth 2 as Google does it for installed programs: consent page, code with PKCE, token endpoint, revocation."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import unquote_plus, urlencode, urlsplit

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from doubles.google.accounts import AssertionRefused, ServiceAccounts
from doubles.google.consent import consent_page, refusal_page
from doubles.google.faults import Faults, oauth_error
from doubles.google.vault import NEVER, Grant, Vault
from doubles.reading import read_json

_CODE_S, _ACCESS_S, _TESTING_S = 600, 3600, 7 * 24 * 3600
"""Seconds that a code, an access token, and a refresh token of an app in "Testing" live."""
SHEETS = "https://www.googleapis.com/auth/spreadsheets"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


_ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class _Order(Struct, frozen=True, forbid_unknown_fields=True):
    scopes: tuple[str, ...] = (SHEETS,)
    testing: bool | None = None
    account: str = ""


class _Program(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]\Z")] = "jada-sync"


class _Revocation(Struct, frozen=True, forbid_unknown_fields=True):
    access_only: bool = False


class OAuth:
    """The consent page and the token endpoint of one registered program ("installed")."""

    def __init__(self, vault: Vault, programs: ServiceAccounts, faults: Faults, *, testing: bool) -> None:
        self._vault, self._programs, self._faults, self._testing = vault, programs, faults, testing
        self._client = vault.kept("client_id", lambda: f"{secrets.token_hex(12)}.apps.googleusercontent.com")
        self._secret = vault.kept("client_secret", lambda: f"GOCSPX-{secrets.token_urlsafe(21)}")

    def routes(self) -> list[Route]:
        """Return the routes at Google's own paths, and the control calls."""
        return [
            Route("/o/oauth2/auth", self.consent),
            Route("/o/oauth2/auth", self.decide, methods=["POST"]),
            Route("/token", self.token, methods=["POST"]),
            Route("/_local/client", self.client_secrets),
            Route("/_local/tokens", self.issue, methods=["POST"]),
            Route("/_local/tokens/revoke", self.revoke_all, methods=["POST"]),
            Route("/_local/service-accounts", self.make_program, methods=["POST"]),
            Route("/_local/service-accounts/{email}", self.delete_program, methods=["DELETE"]),
        ]

    def grant(self, access_token: str) -> Grant | None:
        """Return whose an access token is and what it may do; None when it is not alive."""
        return self._vault.find("access", access_token)

    async def consent(self, request: Request) -> Response:
        """GET the page on which the user allows or denies."""
        wrong = self._wrong(request.query_params)
        return refusal_page(*wrong) if wrong else consent_page(request.query_params["scope"].split())

    async def decide(self, request: Request) -> Response:
        """POST the user's decision (`allow`, or anything else for no) and go back to the program."""
        query, form = request.query_params, await request.form()
        wrong = self._wrong(query)
        if wrong:
            return refusal_page(*wrong)
        asked = query["scope"].split()
        ticked = [str(scope) for scope in form.getlist("scope")] or asked
        allowed = tuple(scope for scope in asked if scope in ticked)
        back = {"state": query["state"]} if "state" in query else {}
        if form.get("decision") == "allow" and allowed:
            account = str(form.get("account", query.get("login_hint", "")))
            back |= {"code": self._code(query, allowed, account), "scope": " ".join(allowed)}
        else:
            back |= {"error": "access_denied"}
        joint = "&" if urlsplit(query["redirect_uri"]).query else "?"
        return RedirectResponse(f"{query['redirect_uri']}{joint}{urlencode(back)}", 302)

    async def token(self, request: Request) -> Response:
        """POST /token: exchange a code, or refresh."""
        return await self._faults.play("token", request, lambda: self._exchange(request))

    async def client_secrets(self, request: Request) -> Response:
        """GET the client secrets file of the registered program."""
        base = str(request.base_url).rstrip("/")
        installed = {
            "client_id": self._client,
            "project_id": "jada-local",
            "auth_uri": f"{base}/o/oauth2/auth",
            "token_uri": f"{base}/token",
            "client_secret": self._secret,
            "redirect_uris": ["http://localhost"],
        }
        return JSONResponse({"installed": installed})

    async def issue(self, request: Request) -> Response:
        """POST: hand out a credential as auth_ga stores it, without consent: `{"scopes": […], "testing": false}`."""
        order = read_json(_Order, await request.body() or b"{}")
        testing = self._testing if order.testing is None else order.testing
        grant = Grant(order.scopes, account=order.account)
        tokens = self._tokens(grant, self._lasting(grant, testing=testing))
        now = self._vault.clock()
        credential = {
            "token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "token_uri": f"{str(request.base_url).rstrip('/')}/token",
            "client_id": self._client,
            "client_secret": self._secret,
            "scopes": list(order.scopes),
            "universe_domain": "googleapis.com",
            "account": order.account,
            "expiry": _time(now + _ACCESS_S),
            "issued_at": _time(now),
        }
        return JSONResponse(credential | {k: v for k, v in tokens.items() if k == "refresh_token_expires_in"})

    async def make_program(self, request: Request) -> Response:
        """POST `{"name": …}`: make a service account, or give it a new key; answers the key file."""
        return JSONResponse(self._programs.make(read_json(_Program, await request.body() or b"{}").name), 201)

    async def delete_program(self, request: Request) -> Response:
        """DELETE a service account."""
        known = self._programs.delete(request.path_params["email"])
        return Response(status_code=204 if known else 404)

    async def revoke_all(self, request: Request) -> Response:
        """POST: end the user's consent, or with `{"access_only": true}` only the short-lived tokens."""
        order = read_json(_Revocation, await request.body() or b"{}")
        kinds = ("access",) if order.access_only else ("access", "refresh", "code")
        return JSONResponse({"revoked": self._vault.revoke_all(kinds)})

    def _wrong(self, query: Mapping[str, str]) -> tuple[int, str, str] | None:
        """Say what is wrong with a request for consent: status, error, and a sentence."""
        if query.get("client_id") != self._client:
            return 401, "invalid_client", "The OAuth client was not found."
        place = urlsplit(query.get("redirect_uri", ""))
        # Google ended the copy-and-paste redirect (OOB): installed programs listen on loopback.
        if place.scheme != "http" or place.hostname not in _LOOPBACK:
            return 400, "redirect_uri_mismatch", "An installed program gets its answer at a loopback address."
        if query.get("response_type") != "code":
            return 400, "unsupported_response_type", "response_type must be code."
        if not query.get("scope", "").split():
            return 400, "invalid_request", "Missing required parameter: scope"
        if query.get("code_challenge_method", "S256") not in ("S256", "plain"):
            return 400, "invalid_request", "code_challenge_method must be S256 or plain."
        return None

    def _code(self, query: Mapping[str, str], scopes: tuple[str, ...], account: str) -> str:
        # Google gives a refresh token only at the first consent, or when the page is asked for again.
        anew = "consent" in query.get("prompt", "").split() or not self._vault.has_lasting(account)
        grant = Grant(
            scopes,
            redirect_uri=query["redirect_uri"],
            challenge=query.get("code_challenge", ""),
            method=query.get("code_challenge_method", "plain"),
            lasting=query.get("access_type") == "offline" and anew,
            expires=self._vault.clock() + _CODE_S,
            account=account,
        )
        return self._vault.give("code", grant)

    async def _exchange(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        kind = form.get("grant_type", "")
        if kind == _ASSERTION:
            return self._assert(form.get("assertion", ""))
        if kind not in ("authorization_code", "refresh_token"):
            body = {"error": "unsupported_grant_type", "error_description": f"Invalid grant_type: {kind}"}
            return JSONResponse(body, 400)
        client, secret = _program(request.headers.get("Authorization", ""), form)
        if client != self._client:
            return oauth_error("invalid_client")
        if not secrets.compare_digest(secret.encode(), self._secret.encode()):
            return oauth_error("invalid_client", "The provided client secret is invalid.")
        return self._first(form) if kind == "authorization_code" else self._refresh(form)

    def _assert(self, assertion: str) -> Response:
        try:
            account, scopes = self._programs.admit(assertion)
        except AssertionRefused as refusal:
            return oauth_error(refusal.error, refusal.description)
        answer = self._tokens(Grant(scopes, account=account), None)
        # Google names the scopes to users only: a program knows what it asked for.
        return JSONResponse({name: value for name, value in answer.items() if name != "scope"})

    def _first(self, form: Mapping[str, str]) -> Response:
        # Taken, not found: a code is good for one exchange.
        grant = self._vault.take("code", form.get("code", ""))
        if grant is None:
            return oauth_error("invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != grant.redirect_uri:
            return JSONResponse({"error": "redirect_uri_mismatch", "error_description": "Bad Request"}, 400)
        if grant.challenge and _challenge(grant.method, form.get("code_verifier", "")) != grant.challenge:
            missing = "Missing code verifier." if "code_verifier" not in form else "Invalid code verifier."
            return oauth_error("invalid_grant", missing)
        lasting = self._lasting(grant, testing=self._testing) if grant.lasting else None
        return JSONResponse(self._tokens(grant, lasting))

    def _refresh(self, form: Mapping[str, str]) -> Response:
        if not form.get("refresh_token"):
            return oauth_error("invalid_request", "Missing required parameter: refresh_token")
        grant = self._vault.find("refresh", form["refresh_token"])
        if grant is None:
            return oauth_error("invalid_grant")
        asked = form.get("scope", "").split()
        if any(not scope.isascii() or "," in scope for scope in asked):
            return oauth_error("invalid_scope")
        # Scopes that were never granted are left out, not refused: a token with too few refreshes fine.
        # The grant itself keeps all its scopes: the next refresh may ask for others of them.
        narrowed = tuple(scope for scope in grant.scopes if scope in asked) or grant.scopes
        answer = self._tokens(replace(grant, scopes=narrowed), None, parent=form["refresh_token"])
        return JSONResponse(answer | _days_left(grant, self._vault.clock()))

    def _lasting(self, grant: Grant, *, testing: bool) -> Grant:
        expires = self._vault.clock() + _TESTING_S if testing else NEVER
        return Grant(grant.scopes, expires=expires, account=grant.account)

    def _tokens(self, grant: Grant, lasting: Grant | None, parent: str = "") -> dict[str, Any]:
        """Hand out an access token, and with `lasting` the refresh token it hangs on."""
        answer: dict[str, Any] = {"expires_in": _ACCESS_S - 1, "scope": " ".join(grant.scopes), "token_type": "Bearer"}
        now = self._vault.clock()
        if lasting:
            parent = self._vault.give("refresh", lasting)
            answer |= {"refresh_token": parent, **_days_left(lasting, now)}
        access = self._vault.give("access", Grant(grant.scopes, expires=now + _ACCESS_S, account=grant.account), parent)
        return {"access_token": access, **answer}


def _program(header: str, form: Mapping[str, str]) -> tuple[str, str]:
    """Return a program's id and secret: from the form, or as HTTP Basic, which oauthlib prefers."""
    scheme, _, pair = header.partition(" ")
    # Both forms are in use: google-auth sends a form, oauthlib HTTP Basic.
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client, _, secret = base64.b64decode(pair, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(client), unquote_plus(secret)


def _days_left(lasting: Grant, now: float) -> dict[str, int]:
    # One second less than is left, as Google gives it: 604,799 at the beginning of seven days.
    return {} if lasting.expires == NEVER else {"refresh_token_expires_in": int(lasting.expires - now) - 1}


def _challenge(method: str, verifier: str) -> str:
    if method == "plain":
        return verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

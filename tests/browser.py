"""The page as a browser without JavaScript has it: signed in, with cookie, Origin and the CSRF token of each form."""

import re

import urllib3

from dashboard.signin import COOKIE
from wire.client import Client


class Browser:
    """Requests to one dashboard's page; `cookie` is empty for one that has not signed in."""

    def __init__(self, url, token=None, name="anna"):
        self.url = url
        self._pool = urllib3.PoolManager(retries=False)
        self.cookie = ""
        if token is not None:
            self.open(Client(url, token, retries=0).invite(name).path)

    def open(self, path):
        """Press the button behind a link that signs in."""
        response = self("POST", "/sign-in", fields={"code": path.rpartition("/")[2]}, encode_multipart=False)
        if found := re.match(rf"{COOKIE}=([^;]+);", response.headers.get("Set-Cookie", "")):
            self.cookie = found[1]
        return response

    def csrf(self):
        """Return a fresh token, as each form holds it."""
        return re.search(r'name="csrf" value="([0-9a-f]+)"', self("GET", "/sign-in").data.decode())[1]

    def __call__(self, method, path="/", *, fields=None, headers=None, **options):
        """Send a request as the page's own forms do; `headers` replace what a browser would send."""
        own = {"Origin": self.url} if method == "POST" and headers is None else headers or {}
        cookie = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        if method == "POST" and self.cookie:
            given = fields.items() if isinstance(fields, dict) else fields or ()
            fields = [("csrf", self.csrf()), *given]
        sent = {**cookie, **own}
        return self._pool.request(method, self.url + path, fields=fields, headers=sent, redirect=False, **options)

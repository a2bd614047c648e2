"""HTTP to what a test has started, without TLS: to read the authorities of the machine takes more CPU, 30 ms for each
client, than most tests' calls.
"""

import httpx

# No connection is kept: where one test's server was, the next one's may be.
HTTP = httpx.Client(verify=False, limits=httpx.Limits(max_keepalive_connections=0))


def client_of(url, **more):
    """A client of a test's own, which keeps its connections and its headers."""
    return httpx.Client(base_url=url, verify=False, **more)

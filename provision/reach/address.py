"""As which IPv4 address this machine is seen by a host's firewall."""

import ipaddress
import socket

import urllib3

from provision.errors import CommandError

GIVE = "give it: --door ADDRESS, or `fab door --address ADDRESS`"
_MOST = 64
"""Bytes of an answer that can be an address."""


def given(text: str, *, public: bool) -> str:
    """Read an address as it was typed or answered; raises `CommandError` for what a firewall could not let in."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise CommandError(f"{text.strip()[:_MOST]!r} is no address", f"{GIVE}, as 203.0.113.9") from None
    if address.version != 4:
        raise CommandError(f"{address} is IPv6, and hosts are reached over IPv4", f"{GIVE} of the other kind")
    if public and not address.is_global:
        raise CommandError(f"{address} is no address that AWS can see", f"{GIVE} as which this machine is seen outside")
    return str(address)


def seen_by(service: str) -> str:
    """Ask a service outside as which address it sees this machine; raises `CommandError`."""
    try:
        # Past any proxy: SSH does not go through it, and would come from another address.
        answer = urllib3.request("GET", service, timeout=10, retries=False, redirect=False)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise CommandError(f"{service} does not say this machine's address: {type(error).__name__}", GIVE) from error
    if answer.status != 200 or len(answer.data) > _MOST:
        raise CommandError(f"{service} answers with status {answer.status}, and no address", GIVE)
    return answer.data.decode("ascii", "replace")


def towards(host: str) -> str:
    """Return the address from which this machine reaches one: right where nothing translates in between."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))  # nothing is sent: it only chooses the route
        except OSError as error:
            raise CommandError(
                f"this machine has no way to {host}: {error}", "is the local cloud up (make demo)?"
            ) from error
        return str(probe.getsockname()[0])


def own(host: str, service: str, *, local: bool) -> str:
    """Return this machine's address as the host's firewall sees it: by the settings' service, or on the local cloud by
    the route. Raises `CommandError` where neither can say.
    """
    if local:
        return towards(host)
    if not service:
        raise CommandError(
            "as which address this machine is seen outside is not known",
            f"{GIVE}, or set deploy.address_service in the settings file",
        )
    return given(seen_by(service), public=True)

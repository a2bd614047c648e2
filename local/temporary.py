"""A site for a test: no other process has its name and octet while it is there, and nothing of it stays."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from local import cloud, locks, network
from local.site import Site

# Beyond the demo's own, and those that users choose by hand.
OCTETS = range(100, 250)


@contextmanager
def temporary_site(*, lock: bool = True) -> Iterator[Site]:
    """Hold a free octet and yield a site on it, with an empty folder; it is swept and removed at the end.

    Without `lock` the site's own lock is left to the commands that act on it. Raises `AddressesTaken` when this
    machine has no octet left.
    """
    with ExitStack() as held:
        site = next((site for site in map(site_of, OCTETS) if _take(site, held)), None)
        if site is None:
            raise network.AddressesTaken(f"every network from 10.{OCTETS[0]}.0.0/16 to 10.{OCTETS[-1]}.0.0/16 is taken")
        if lock:
            held.enter_context(locks.site(site))
        # What a killed test left: its name is made of its octet, so that the next to hold that finds it.
        cloud.stop(site)
        site.state.mkdir(mode=0o700)
        try:
            yield site
        finally:
            cloud.stop(site)


def site_of(octet: int) -> Site:
    """Return the site that a test has on an octet."""
    return Site(f"jadat{octet}", octet)


def _take(site: Site, held: ExitStack) -> bool:
    try:
        network.require_addresses(site)
        held.enter_context(locks.octet(site))
    except (locks.Held, network.AddressesTaken):
        return False
    return True

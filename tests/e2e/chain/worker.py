"""`python -m tests.e2e.chain.worker`: a cloud whose box is a worker, made by the demo up to there.

The tasks and the proof that follow are a third of what a demo takes.
"""

import argparse
import os

from local import demo, locks, proxy
from local.hosts.image import cache
from local.site import add_options, chosen
from local.steps import Steps


def main():
    options = argparse.ArgumentParser()
    add_options(options, os.environ)
    site = chosen(options.parse_args())
    os.environ.pop("ANTHROPIC_API_KEY", None)  # a real one is of no use to it, and nobody else's to see
    os.environ.update(proxy.settings(os.environ), JADA_SITE=site.name)
    with locks.site(site), locks.octet(site, shared=True):
        demo.deployed(site, demo.Choice(None, "double", site.octet), Steps(cache() / "logs"))


if __name__ == "__main__":
    main()

"""What `fab verify` runs: read-only checks of a deployed host. Without --hosts there is none: not collected."""

import json

import pytest


def pytest_ignore_collect(config):
    return None if config.getoption("hosts") else True


@pytest.fixture(scope="module")
def out(host):
    """Run a command on the host and return what it prints; a failure shows the command's own words."""

    def run(*words):
        return host.check_output(" ".join(["%s"] * len(words)), *words)

    return run


@pytest.fixture(scope="module")
def manifest(out):
    """The manifest of the current release, by the host's own copy of it."""
    return json.loads(out("cat", "/opt/jada-agent/current/manifest.json"))


@pytest.fixture(scope="module")
def shown(out):
    """A unit's properties as systemd has them in force."""

    def show(unit, *names):
        lines = out("systemctl", "show", unit, *(f"--property={name}" for name in names)).splitlines()
        return dict(line.split("=", 1) for line in lines)

    return show

"""The door: what is not open is closed from outside, and an edit of it never shuts anyone out who may come in."""

import socket
import subprocess
import threading
import time

import pytest
import yaml

pytestmark = [pytest.mark.root, pytest.mark.chain]


@pytest.fixture
def address(chain):
    return (
        chain.run("pulumi", "stack", "output", "--stack", "local", "--json")
        .stdout.split('"address": "')[1]
        .split('"')[0]
    )


def connects(address, port, timeout=2):
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError:
        return False
    return True


def test_ssh_is_open_and_nothing_else(address):
    assert connects(address, 22)
    assert not any(connects(address, port, 0.5) for port in (80, 443, 8765))


def test_an_edit_never_refuses_a_connection(chain, address, tmp_path):
    with (chain.folder / "Pulumi.local.yaml").open() as file:
        settings = yaml.safe_load(file)
    settings["config"]["jada:operator-cidrs"].append("192.0.2.0/24")
    edited = tmp_path / "Pulumi.local.yaml"
    edited.write_text(yaml.safe_dump(settings))
    up = ["up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local"]
    with knocking(address) as knocks, chain_session(chain) as session:
        assert "InstancePublicPorts" in chain.pulumi(*up, "--config-file", str(edited)).stdout
        chain.pulumi(*up)
        session.stdin.write("echo still here\n")
        session.stdin.flush()
        assert session.stdout.readline() == "still here\n"
    assert len(knocks) > 50
    assert all(knocks)


def test_a_command_from_an_address_that_is_not_an_operators_opens_a_door_that_pulumi_does_not_see(
    chain, address, tmp_path
):
    with (chain.folder / "Pulumi.local.yaml").open() as file:
        settings = yaml.safe_load(file)
    settings["config"]["jada:operator-cidrs"] = ["192.0.2.0/24"]
    edited = tmp_path / "Pulumi.local.yaml"
    edited.write_text(yaml.safe_dump(settings))
    up = ["up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local"]
    chain.pulumi(*up, "--config-file", str(edited))
    try:
        assert not connects(address, 22)
        assert "jada-agent" in chain.fab("status", "--door").stdout
        assert not connects(address, 22)
        with subprocess.Popen(
            ["fab", "door"], env=chain.env, cwd=chain.folder, stdout=subprocess.PIPE, text=True
        ) as door:
            assert any("Ctrl-C" in line for line in door.stdout)
            assert connects(address, 22)
            chain.pulumi(*up, "--config-file", str(edited), "--expect-no-changes")
            assert "left open" in chain.fab("door", "--show", check=False).stdout
            door.kill()
        assert connects(address, 22)
        assert "taken out: 10." in chain.fab("door", "--out").stdout
        assert not connects(address, 22)
    finally:
        chain.pulumi(*up)
    assert chain.fab("door", "--show").returncode == 0


class knocking:  # noqa: N801 - reads as what it does, as context managers do
    """New connections every 50 ms while the block runs; the list says which were let in."""

    def __init__(self, address):
        self.address, self.over, self.knocks = address, threading.Event(), []

    def __enter__(self):
        self.thread = threading.Thread(target=self._knock)
        self.thread.start()
        return self.knocks

    def _knock(self):
        while not self.over.is_set() and len(self.knocks) < 5000:
            began = time.monotonic()
            self.knocks.append(connects(self.address, 22))
            self.over.wait(max(0, 0.05 - (time.monotonic() - began)))

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class chain_session:  # noqa: N801 - as above
    """An SSH session that stays open."""

    def __init__(self, chain):
        self.chain = chain

    def __enter__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process = subprocess.Popen(
            ["fab", "ssh", "--command", "sh"], env=self.chain.env, cwd=self.chain.folder, **pipes
        )
        self.process.stdin.write("echo in\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "in\n"
        return self.process

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)

"""The Lightsail double as a program of its own, inside its network, with real hosts."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest

from local import hosts, network
from local.cgroups import group
from local.hosts import container, disk
from local.hosts.image import image_folder
from local.process import wait_until
from local.temporary import temporary_site

pytestmark = pytest.mark.root
ROOT = Path(__file__).parents[2]


class Double:
    """The double's process in the site's edge namespace, and a client of it."""

    def __init__(self, site, *options):
        self.site, self.options = site, options
        self.client = boto3.client(
            "lightsail",
            endpoint_url=site.url(8700),
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        self.start()

    def start(self):
        network.ensure(self.site)
        with (self.site.state / "lightsail.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{self.site.edge}", sys.executable, "-m", "doubles.lightsail"),
                    *("--host", self.site.cloud_address, "--port", "8700", "--state", str(self.site.state)),
                    *("--site", self.site.name, "--octet", str(self.site.octet), "--image", str(image_folder())),
                    *self.options,
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                text=True,
            )
        assert self.process.stdout.readline() == f"lightsail ready {self.site.url(8700)}\n"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def create(self, name):
        self.client.create_instances(
            instanceNames=[name], availabilityZone="us-east-1a", blueprintId="debian_12", bundleId="micro_3_0"
        )
        self.wait_for(name, "running")

    def state(self, name):
        return self.client.get_instance_state(instanceName=name)["state"]["name"]

    def delete(self, name):
        self.client.delete_instance(instanceName=name)
        assert wait_until(lambda: name not in self.names(), 120)

    def names(self):
        return [instance["name"] for instance in self.client.get_instances()["instances"]]

    def wait_for(self, name, state):
        assert wait_until(lambda: self.state(name) == state, 120), self.state(name)

    def put_ports(self, name, *ports):
        infos = [{"fromPort": port, "toPort": port, "protocol": "tcp", "cidrs": ["0.0.0.0/0"]} for port in ports]
        self.client.put_instance_public_ports(instanceName=name, portInfos=infos)


class Door:
    """A key, its certificate and the host keys of an instance, as files for ssh."""

    def __init__(self, double, name, folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        details = double.client.get_instance_access_details(instanceName=name)["accessDetails"]
        self.address, self.folder = details["ipAddress"], folder
        self.write("key", details["privateKey"])
        self.write("key-cert.pub", details["certKey"])
        self.write("hosts", "".join(f"box {k['algorithm']} {k['publicKey']}\n" for k in details["hostKeys"]))

    def write(self, name, text):
        (self.folder / name).touch(mode=0o600)
        (self.folder / name).write_text(text)

    def command(self, *command):
        return [
            *("ssh", "-F", "none", "-o", f"UserKnownHostsFile={self.folder / 'hosts'}", "-o", "HostKeyAlias=box"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
            *("-o", "ConnectTimeout=15", "-i", str(self.folder / "key"), f"admin@{self.address}", *command),
        ]

    def run(self, *command):
        return subprocess.run(self.command(*command), capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def site():
    with temporary_site() as site:
        yield site


@pytest.fixture(scope="module")
def double(site):
    double = Double(site)
    yield double
    double.kill()


@pytest.fixture(scope="module")
def box(double):
    double.create("box")
    return "box"


@pytest.fixture
def door(double, box, tmp_path):
    # Whatever a test before left of its firewall.
    double.put_ports(box, 22, 80)
    return Door(double, box, tmp_path / "door")


def first_process(site):
    return container.first_process(group(site.name, 1))


def reaches(address, port, seconds=60):
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except TimeoutError:
        return False
    return True


def sent_again(address, port):
    """How often the first packet of a new connection had to be sent again: each that was dropped, after a second. The
    kernel counts it; how long a connection took says as much of a busy machine.
    """
    with socket.create_connection((address, port), timeout=60) as connection:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("I", info, 100)[0]  # tcpi_total_retrans of linux/tcp.h


def left_of(site):
    """Everything on this machine that belongs to the site, its files apart."""
    commands = [contents(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(site.state) in line]
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    return {
        "processes": [command for command in commands if str(site.state).encode() in command],
        "mounts": mounts,
        "groups": [str(p) for end in ("", "/*", "-h*") for p in Path("/sys/fs/cgroup").glob(f"*/{site.name}{end}")],
        "namespaces": [p.name for p in Path("/run/netns").glob(f"{site.name}-*")],
        "network": [line for line in (links + routes).splitlines() if f"{site.name}-" in line],
    }


def contents(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_new_instance_opens_to_its_certificate_under_the_host_keys_reported(site, door):
    done = door.run("sudo -n id -un; hostname; systemctl is-system-running --wait")
    assert done.stdout.split() == ["root", f"ip-10-{site.octet}-1-1", "running"], done.stderr


def test_another_host_key_is_refused(door):
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(door.folder / "other")], check=True)
    door.write("hosts", f"box {(door.folder / 'other.pub').read_text()}")
    assert "Host key verification failed" in door.run("true").stderr


def test_a_key_without_its_certificate_is_refused(door):
    (door.folder / "key-cert.pub").unlink()
    assert "Permission denied" in door.run("true").stderr


def test_a_port_is_closed_from_outside_until_it_is_opened(double, box, door):
    door.run("sudo systemd-run --collect --unit=web python3 -m http.server 8080")
    assert door.run("until ss -ltn | grep -q :8080; do sleep 0.1; done").returncode == 0
    assert not reaches(door.address, 8080, 1)
    port = {"fromPort": 8080, "toPort": 8080, "protocol": "tcp"}
    double.client.open_instance_public_ports(instanceName=box, portInfo=port)
    assert reaches(door.address, 8080)
    double.client.close_instance_public_ports(instanceName=box, portInfo=port)
    assert not reaches(door.address, 8080, 1)


def test_a_port_is_open_to_the_sources_named_alone(site, double, box, door):
    for source, reached, seconds in (("192.0.2.0/24", False, 1), (site.operator_address, True, 60)):
        info = {"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": [source]}
        double.client.put_instance_public_ports(instanceName=box, portInfos=[info])
        assert reaches(door.address, 22, seconds) is reached


def test_an_edit_of_the_firewall_disturbs_neither_open_connections_nor_new_ones(double, box, door):
    again, ended = [], threading.Event()

    def knock():
        while not ended.wait(0.05):
            again.append(sent_again(door.address, 22))

    knocking = threading.Thread(target=knock)
    with subprocess.Popen(door.command("cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        knocking.start()
        try:
            for edit in range(40):
                double.put_ports(box, *([22, 443, 8000 + edit] if edit % 2 else [22]))
                held.stdin.write(f"{edit}\n")
                held.stdin.flush()
                assert held.stdout.readline() == f"{edit}\n"
        finally:
            ended.set()
            knocking.join()
    assert set(again) == {0}


def test_a_host_reaches_the_doubles_and_nothing_beyond_this_machine(site, door):
    ask = "python3 -c \"import socket; socket.create_connection(('{}', {}), 3)\""
    assert door.run(ask.format(site.cloud_address, 8700)).returncode == 0
    assert "Network is unreachable" in door.run(ask.format("192.0.2.99", 80)).stderr
    assert "Network is unreachable" in door.run(ask.format(site.operator_address, 22)).stderr


@pytest.mark.parametrize(
    ("limit", "program"),
    [
        ("MemoryMax=50M", "bytearray(200_000_000)"),
        (
            "TasksMax=5",
            "[__import__('threading').Thread(target=__import__('time').sleep, args=[1]).start() for _ in range(9)]",
        ),
    ],
)
def test_limits_of_units_are_enforced_inside(door, limit, program):
    unit = 'sudo systemd-run --quiet --wait --pipe -p {} python3 -c "x = {}"'
    assert door.run(unit.format(limit, program)).returncode != 0
    assert door.run(unit.format(limit, "1")).returncode == 0


def test_the_bundle_limits_the_whole_host(door):
    assert door.run("python3 -c 'x = bytearray(1_500_000_000)'").returncode != 0
    assert door.run("python3 -c 'x = bytearray(300_000_000)'").returncode == 0


def test_a_host_that_shuts_itself_down_is_stopped_and_one_that_reboots_comes_back(site, double, box, door):
    before = first_process(site)
    door.run("sudo systemctl reboot")
    assert wait_until(lambda: first_process(site) not in {None, before} and double.state(box) == "running", 120)
    door.run("sudo systemctl poweroff")
    double.wait_for(box, "stopped")
    double.client.start_instance(instanceName=box)
    double.wait_for(box, "running")


def test_a_host_outlives_its_double_and_is_found_again(site, double, box):
    before = first_process(site)
    double.kill()
    assert first_process(site) == before
    double.start()
    assert double.state(box) == "running"
    assert first_process(site) == before


def test_double_and_host_killed_come_back_at_the_next_start(site, double, box, door):
    assert door.run("echo kept | sudo tee /var/kept; sync").returncode == 0
    double.kill()
    os.kill(first_process(site), signal.SIGKILL)
    assert wait_until(lambda: not group(site.name, 1).processes(), 120)
    # What the nspawn of Debian 13 leaves of a killed host, and for which it refuses the next of its name.
    left = container.EXPORTS / f"{site.name}-h1"
    left.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", left], check=True)
    (left / "of-the-killed").touch()
    double.start()
    assert wait_until(lambda: first_process(site) is not None and double.state(box) == "running", 120)
    assert door.run("cat /var/kept").stdout == "kept\n"
    assert not (left / "of-the-killed").exists()


def test_a_host_killed_under_a_running_double_comes_back_by_itself(site, double, box, door):
    before = first_process(site)
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: first_process(site) not in {None, before} and double.state(box) == "running", 120)
    assert door.run("true").returncode == 0


@pytest.mark.parametrize("moment_s", [0, 0.15, 0.4])
def test_a_double_killed_while_it_makes_a_host_makes_it_at_the_next_start(double, tmp_path, moment_s):
    double.client.create_instances(
        instanceNames=["early"], availabilityZone="us-east-1a", blueprintId="debian_12", bundleId="nano_3_0"
    )
    time.sleep(moment_s)  # not to wait for anything: the kill is to hit different steps
    double.kill()
    double.start()
    double.wait_for("early", "running")
    assert Door(double, "early", tmp_path / "early").run("true").returncode == 0
    double.delete("early")


def test_deleting_an_instance_leaves_nothing_of_it(site, double):
    before = left_of(site)
    rules = ["nsenter", f"--net=/run/netns/{site.edge}", "nft", "list", "ruleset"]
    loaded = subprocess.run(rules, capture_output=True, text=True, check=True).stdout
    double.create("brief")
    assert left_of(site) != before
    double.delete("brief")
    assert left_of(site) == before
    assert subprocess.run(rules, capture_output=True, text=True, check=True).stdout == loaded
    assert not disk.mounted(site.state / "hosts" / "brief").parent.exists()


def test_a_host_trusts_the_old_form_of_certificates_where_it_is_asked_for(tmp_path):
    with temporary_site() as site, contextlib.ExitStack() as ends:
        double = Double(site, "--old-certificates")
        ends.callback(double.kill)
        double.create("old")
        door = Door(double, "old", tmp_path / "door")
        listed = subprocess.run(
            ["ssh-keygen", "-Lf", str(door.folder / "key-cert.pub")], capture_output=True, text=True, check=True
        ).stdout
        assert "using ssh-rsa" in listed
        assert door.run("true").returncode == 0


def test_a_sweep_leaves_nothing_whatever_it_meets(site, double, box):
    hosts.sweep(site)
    hosts.sweep(site)
    double.kill()
    assert wait_until(lambda: not any(left_of(site).values()), 120), left_of(site)
    double.start()  # all comes back from its records
    double.wait_for(box, "running")


@contextlib.contextmanager
def alone(site, *within):
    """The double as an operator starts it by itself, outside of any cloud; ended by SIGTERM."""
    command = [sys.executable, "-m", "doubles.lightsail", "--port", "0", "--image", str(image_folder())]
    place = ["--site", site.name, "--octet", str(site.octet), "--state", str(site.state)]
    with subprocess.Popen([*within, *command, *place], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        url = process.stdout.readline().split()[-1]
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        try:
            yield boto3.client("lightsail", endpoint_url=url, region_name="us-east-1", **keys)
        finally:
            process.terminate()
    assert process.returncode == 0


def running(client):
    return client.get_instance_state(instanceName="box")["state"]["name"] == "running"


def test_a_double_that_runs_alone_takes_its_network_and_hosts_with_it_and_brings_the_hosts_back():
    with temporary_site() as site:
        with alone(site) as client:
            client.create_instances(
                instanceNames=["box"], availabilityZone="us-east-1a", blueprintId="debian_12", bundleId="nano_3_0"
            )
            assert wait_until(lambda: running(client), 120)
            assert left_of(site)["namespaces"]
        assert not any(left_of(site).values()), left_of(site)
        with alone(site) as client:
            assert wait_until(lambda: running(client) and first_process(site) is not None, 120)


def test_a_host_is_made_where_this_machines_root_is_a_chroot(tmp_path):
    script = 'mount --rbind / "$0" && exec chroot "$0" env --chdir="$@"'
    within = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(tmp_path), str(ROOT)]
    with temporary_site() as site, alone(site, *within) as client:
        client.create_instances(
            instanceNames=["box"], availabilityZone="us-east-1a", blueprintId="debian_12", bundleId="nano_3_0"
        )
        assert wait_until(lambda: running(client), 120)

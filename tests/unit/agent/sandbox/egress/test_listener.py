"""The socket that a sandbox finds its proxy at."""

import subprocess
import sys

import pytest

from agent.sandbox.egress.listener import PORT, listen_inside

pytestmark = pytest.mark.process
INSIDE = f"""
import socket, subprocess
# A moment that the kernel goes through while bubblewrap gives a sandbox its address: routes, and not to this one.
subprocess.run("ip link set lo up && ip address delete 127.0.0.1/8 dev lo", shell=True, check=True)
print("ready", flush=True)
input()
subprocess.run("ip address add 127.0.0.1/8 dev lo", shell=True, check=True)
print(socket.create_connection(("127.0.0.1", {PORT})).recv(9).decode(), flush=True)
"""


def test_it_can_be_made_before_the_sandbox_has_its_own_address():
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", INSIDE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as inside:
        assert inside.stdout.readline() == "ready\n"
        with listen_inside(inside.pid) as listening:
            inside.stdin.write("go\n")
            inside.stdin.flush()
            listening.settimeout(30)
            with listening.accept()[0] as out:
                out.sendall(b"hello")
            assert inside.stdout.readline() == "hello\n"

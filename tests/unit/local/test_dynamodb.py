"""DynamoDB Local, here by a Java that only listens: what is kept of a server after the program that runs it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.process import Process, wait_until

ROOT = Path(__file__).parents[3]
JAVA = f"""#!{sys.executable}
import os, pathlib, signal, socket, sys
pathlib.Path("java.pid").write_text(str(os.getpid()))
with socket.create_server(("127.0.0.1", int(sys.argv[-1]))):
    signal.pause()
"""
RUN = """
from pathlib import Path
from local import dynamodb
with dynamodb.running(Path("library"), Path.cwd(), in_memory=True) as url:
    print(url, flush=True)
    input()
"""


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can be told of its parent's end")
def test_a_server_does_not_outlive_who_runs_it(tmp_path, number):
    (tmp_path / "java").write_text(JAVA)
    (tmp_path / "java").chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=tmp_path, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout.readline()
        server = Process.find(int((tmp_path / "java.pid").read_text()))
        program.send_signal(number)
    try:
        assert wait_until(lambda: not server.alive(), 60)
    finally:
        server.end()

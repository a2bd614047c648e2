"""The language host and how both plugins live and die: as processes, the way the engine starts them."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from local.process import Process, wait_until
from local.pulumi.language_host import EXECUTABLE, SHIMS, official

pytestmark = pytest.mark.process

ENGINE = "127.0.0.1:1"


def start(*command) -> subprocess.Popen:
    # Without a PATH of its own a machine's official host would be found and used.
    path = {"PATH": f"{SHIMS}:/usr/bin:/bin"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=path, text=True)


def executable(folder: Path, text: str) -> Path:
    folder.mkdir()
    file = folder / EXECUTABLE
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.fixture(params=["pulumi-language-python", "pulumi-resource-aws"])
def plugin(request):
    process = start(str(SHIMS / request.param), ENGINE)
    yield process
    process.kill()
    process.communicate()


def test_a_plugin_tells_its_port_and_ends_quietly_on_sigint(plugin):
    assert 0 < int(plugin.stdout.readline()) < 65536
    plugin.send_signal(signal.SIGINT)
    assert plugin.communicate(timeout=60) == ("", "")
    assert plugin.returncode == 0


def test_a_plugin_goes_when_its_engine_is_killed():
    engine = start("sh", "-c", f"{shlex.quote(str(SHIMS / EXECUTABLE))} {ENGINE} & echo $!; wait")
    plugin = int(engine.stdout.readline())
    try:
        assert 0 < int(engine.stdout.readline()) < 65536
        engine.kill()
        assert wait_until(lambda: Process.find(plugin) is None, 20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(plugin, signal.SIGKILL)
        engine.kill()
        engine.communicate()


def test_the_language_host_refuses_another_stack_before_a_line_of_the_program_runs(tmp_path):
    (tmp_path / "__main__.py").write_text("raise SystemExit('the program ran')")
    process = start(str(SHIMS / EXECUTABLE), ENGINE)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            host = language_pb2_grpc.LanguageRuntimeStub(channel)
            info = language_pb2.ProgramInfo(program_directory=str(tmp_path))
            answer = host.Run(language_pb2.RunRequest(stack="prod", info=info))
    finally:
        process.kill()
        process.communicate()
    assert answer.error.startswith("pulumi-language-python of the local cloud serves only stack 'local', and this is")


def test_an_official_host_elsewhere_on_path_is_found_and_ours_is_not(tmp_path):
    theirs = executable(tmp_path / "official", "#!/bin/sh\n")
    assert official(os.pathsep.join([str(SHIMS), str(theirs.parent)])) == str(theirs)
    assert official(str(SHIMS)) is None


def test_the_shim_of_another_checkout_is_not_taken_for_the_official_host(tmp_path):
    other = tmp_path / "other" / "local" / "pulumi"
    shutil.copytree(SHIMS.parent, other, ignore=shutil.ignore_patterns("__pycache__"))
    assert official(os.pathsep.join([str(other / SHIMS.name), str(SHIMS)])) is None


def test_ours_gives_way_to_the_official_host(tmp_path):
    theirs = executable(tmp_path / "official", '#!/bin/sh\necho "official $*"\n')
    env = {"PATH": f"{SHIMS}:{theirs.parent}:/usr/bin:/bin"}
    done = subprocess.run(
        [EXECUTABLE, ENGINE], env=env, capture_output=True, text=True, check=True, executable=SHIMS / EXECUTABLE
    )
    assert done.stdout == f"official {ENGINE}\n"

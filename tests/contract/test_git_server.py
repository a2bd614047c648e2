"""The git server's double, asked by git itself."""

import socket
import ssl
import subprocess
import threading

import pytest

from doubles.git.server import Server

TOKEN = "made-up-token-01"


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "repositories"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", folder / "site.git"], check=True)
    with Server(folder, "localhost", TOKEN, ("127.0.0.1", 0)) as made:
        (folder / "authority.pem").write_bytes(made.authority)
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def git(tmp_path, server):
    def git(*words, token=TOKEN, trust=True):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "credential.helper="]
        trusted = ["-c", f"http.sslCAInfo={server.folder / 'authority.pem'}"] if trust else []
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0"}
        url = f"https://x:{token}@localhost:{server.server_port}/site.git"
        command = ["git", *who, *trusted, *(word.replace("URL", url) for word in words)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return git


def test_what_is_pushed_with_the_token_is_cloned_with_it(git, tmp_path):
    git("init", "-q", "-b", "main", "work")
    (tmp_path / "work" / "beds.csv").write_text("x" * 3_000_000)
    git("-C", "work", "add", ".")
    git("-C", "work", "commit", "-qm", "beds")
    assert git("-C", "work", "push", "-q", "URL", "main").returncode == 0
    assert git("clone", "-q", "URL", "again").returncode == 0
    assert (tmp_path / "again" / "beds.csv").stat().st_size == 3_000_000


def test_nothing_is_read_without_the_token(git, server):
    assert git("ls-remote", "URL", token="another").returncode == 128
    assert not any(allowed for _, _, allowed in server.requests)


def test_its_authority_is_trusted_only_by_those_who_are_told(git, server):
    assert "certificate" in git("ls-remote", "URL", trust=False).stderr
    assert not server.requests


def test_its_certificate_is_one_that_python_3_13_believes(server):
    context = ssl.create_default_context(cadata=server.authority.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # 3.13's own
    with (
        socket.create_connection(("localhost", server.server_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as spoken,
    ):
        assert spoken.version() == "TLSv1.3"

"""The operator is told what is true: each thing that can stand in the way is broken here, and has a cause and a cure of
its own. What needs a real host for that is in tests/e2e/provision/test_access.py.
"""

import errno
import io
import os
from contextlib import contextmanager
from datetime import timedelta

import paramiko
import pytest
from botocore import exceptions
from fabric import Connection
from invoke.exceptions import Exit
from rich.console import Console

from provision.commands import program, secrets
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import certificate, connection, inventory
from provision.reach.access import Access, utc_now
from provision.reach.aws_errors import explained
from provision.reach.connection import RemoteCommandFailed
from provision.release import installer
from provision.release.installer import Errand
from wire.secret import Secret

ACCESS = Access("box", "192.0.2.7", "admin", Secret("k"), "c", (("ssh-ed25519", "AAAA"),))


def refused_by_aws(error, *, local=False):
    return lambda _tmp: (_ for _ in ()).throw(explained("box", error, local=local))


def answer(code):
    return exceptions.ClientError({"Error": {"Code": code, "Message": "as AWS says"}}, "GetInstance")


def no_outputs(stack, said):
    return lambda _tmp: (_ for _ in ()).throw(inventory.no_outputs(stack, said))


class Opens(Connection):
    """A connection whose opening ends in an error."""

    def __init__(self, error):
        super().__init__("192.0.2.7", user="admin")
        self._error = error

    def open(self):
        raise self._error


def login(error):
    return lambda _tmp: connection._open(Opens(error), ACCESS, 15)


def other_key():
    first, second = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    return paramiko.BadHostKeyException("192.0.2.7", first, second)


def last_word(**event):
    return lambda _tmp: installer.word("box", event)


def misspelt_secret(tmp):
    (tmp / "anthropic_api_kez").write_text("x")
    secrets.gather({}, tmp)


def wrong_clock_here(_tmp):
    key = paramiko.ECDSAKey.generate()
    now = utc_now()
    read = certificate.Certificate(key.asbytes(), certificate.USER, ("admin",), now, now + timedelta(hours=1))
    certificate.require_usable(read, key, "admin", now + timedelta(hours=5))


def full_disk_here(_tmp):
    with program._said_to_the_end():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/anna/.cache/jada/wheel.whl")


def full_disk_there(_tmp):
    said = "install: error writing '/opt/jada-agent/staging/wheels-1': No space left on device"
    raise RemoteCommandFailed("box", ["install", "-D", "/dev/stdin"], 1, said)


class Interrupts:
    """A host to which Ctrl-C comes, in place of an answer."""

    name = "box"

    def lines(self, *_given):
        raise KeyboardInterrupt

    def program(self, *_given):
        raise KeyboardInterrupt


def interrupted_before(_tmp):
    with installer.before_the_start("box"):
        raise KeyboardInterrupt


def interrupted_at_the_start(_tmp):
    installer.start(Interrupts(), {}, Errand(run="r"))


def interrupted_while_it_switches(_tmp):
    progress = Progress(Console(file=io.StringIO()))
    installer.follow(Interrupts(), "r", progress, Errand(), until_deployed=True)


TOLD = {
    "expired SSO": (refused_by_aws(exceptions.UnauthorizedSSOTokenError()), "sign-in to AWS has expired", "sso login"),
    "throttling": (refused_by_aws(answer("ThrottlingException")), "AWS asks to go slower", "wait a minute"),
    "time-out": (refused_by_aws(exceptions.ReadTimeoutError(endpoint_url="https://x")), "does not answer", "network"),
    "no permission": (refused_by_aws(answer("AccessDeniedException")), "refused access", "docs/iam"),
    "an unreachable API": (
        refused_by_aws(exceptions.EndpointConnectionError(endpoint_url="https://x")), "does not answer", "network up",
    ),
    "the local cloud is down": (
        refused_by_aws(exceptions.EndpointConnectionError(endpoint_url="http://10.77.0.1"), local=True),
        "does not answer", "make demo",
    ),
    "no credentials for the state": (
        no_outputs("prod", "error: NoCredentialProviders: no valid credential"), "can't read the state", "sso login",
    ),
    "an unknown stack": (no_outputs("prod", "error: no stack named 'prod' found"), "no outputs of", "pulumi up"),
    "a dead installer": (last_word(ended="silent", run="r"), "ended without its last word", "deploy again"),
    "a failed installer": (last_word(failed="no room"), "no room", "fix the cause and deploy again"),
    "a host that does not answer": (login(TimeoutError("timed out")), "does not answer on port 22", "CIDRs"),
    "another host key": (login(other_key()), "another host key", "don't log in"),
    "the host's clock, or its CA": (
        login(paramiko.AuthenticationException("Authentication failed.")), "the host's own is wrong, or", "`date`",
    ),
    "a login that is cut off": (
        login(paramiko.AuthenticationException("transport shut down")), "neither took nor refused", "Then again",
    ),
    "this machine's clock": (wrong_clock_here, "certificate expired at", "this machine's clock"),
    "a misspelt secret": (misspelt_secret, "anthropic_api_kez; is anthropic_api_key meant?", "the names are"),
    "a full disk here": (full_disk_here, "no room for /home/anna/.cache/jada/wheel.whl", "make room"),
    "a full disk there": (full_disk_there, "/opt/jada-agent/staging/wheels-1", "the host's disk is full"),
    "Ctrl-C before a deploy began": (interrupted_before, "before anything was changed", "deploy again"),
    "Ctrl-C as it begins": (interrupted_at_the_start, "may have begun", "fab attach"),
    "Ctrl-C while it switches": (interrupted_while_it_switches, "goes on by itself on the host", "fab attach"),
}  # fmt: skip
"""What is in the way → how it is broken, and words of its cause and its cure."""


@pytest.mark.parametrize("what", TOLD)
def test_each_thing_in_the_way_has_its_own_cause_and_cure(tmp_path, what):
    broken, cause, cure = TOLD[what]
    with pytest.raises(CommandError) as caught:
        broken(tmp_path)
    assert cause in caught.value.cause
    assert cure in caught.value.cure


def test_no_two_of_them_are_told_alike(tmp_path):
    said = {}
    for what, (broken, _, _) in TOLD.items():
        (folder := tmp_path / what.replace("/", " ")).mkdir()
        with pytest.raises(CommandError) as caught:
            broken(folder)
        assert str(caught.value) not in said, (what, said.get(str(caught.value)))
        said[str(caught.value)] = what


@pytest.mark.parametrize("what", ["no permission", "another host key", "a dead installer"])
def test_only_a_wrong_policy_is_told_as_one(tmp_path, what):
    with pytest.raises(CommandError) as caught:
        TOLD[what][0](tmp_path)
    assert ("docs/iam" in caught.value.cure) is (what == "no permission")


@contextmanager
def ended():
    with pytest.raises(Exit) as caught:
        yield caught


def test_ctrl_c_of_any_command_has_a_word_and_the_code_that_shells_know():
    with ended() as caught, program._said_to_the_end():
        raise KeyboardInterrupt
    assert (caught.value.code, "Ctrl-C" in caught.value.message) == (130, True)
    for what in ("Ctrl-C before a deploy began", "Ctrl-C as it begins", "Ctrl-C while it switches"):
        with ended() as caught:
            TOLD[what][0](None)
        assert caught.value.code == 130


def test_another_error_of_this_machine_keeps_its_own_words():
    with pytest.raises(PermissionError), program._said_to_the_end():
        raise PermissionError(errno.EACCES, "no")

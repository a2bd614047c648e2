"""What systemd hears of a service."""

import socket

import pytest

from wire.systemd import Notify


@pytest.fixture
def heard(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        yield heard


def test_each_word_is_a_datagram(heard):
    notify = Notify(heard.getsockname())
    notify.ready()
    notify.alive("idle")
    notify.alive()
    notify.stopping()
    words = [b"READY=1", b"WATCHDOG=1\nSTATUS=idle", b"WATCHDOG=1", b"STOPPING=1"]
    assert [heard.recv(200) for _ in words] == words


def test_a_status_can_t_say_anything_else_to_systemd(heard):
    Notify(heard.getsockname()).alive("task A\nMAINPID=1")
    assert heard.recv(200) == rb"WATCHDOG=1" + b"\n" + rb"STATUS=task A\x0aMAINPID=1"


def test_an_abstract_address_begins_with_an_at_sign():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("")  # the kernel gives a free abstract address
        heard.settimeout(60)
        Notify("@" + heard.getsockname()[1:].decode()).ready()
        assert heard.recv(200) == b"READY=1"


def test_without_an_address_it_says_nothing():
    Notify(None).alive("idle")

"""Who can log in, and where: sshd's settings in force, and the ports that listen."""

import ipaddress

import pytest


@pytest.fixture(scope="module")
def sshd(out):
    """sshd's settings in force, a line each; a list has a line for each of its words."""
    return out("sshd", "-T").splitlines()


def _words(address):
    """`0.0.0.0:22`, `[::1]:53`, `*:22` or `127.0.0.53%lo:53` as (host, port)."""
    host, port = address.rsplit(":", 1)
    return host.strip("[]").split("%")[0].replace("*", "0.0.0.0"), int(port)


def test_only_ssh_listens_beyond_loopback(out):
    listening = [_words(line.split()[3]) for line in out("ss", "-H", "-l", "-n", "-t").splitlines()]
    assert {port for host, port in listening if not ipaddress.ip_address(host).is_loopback} == {22}


def test_nothing_waits_for_datagrams_beyond_loopback(out):
    bound = [_words(line.split()[3]) for line in out("ss", "-H", "-l", "-n", "-u").splitlines()]
    # 68 is the DHCP client's, by which a cloud host has its address.
    assert {port for host, port in bound if not ipaddress.ip_address(host).is_loopback} <= {68}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("passwordauthentication", "no"),
        ("kbdinteractiveauthentication", "no"),
        ("permitrootlogin", "no"),
        ("permitemptypasswords", "no"),
        ("x11forwarding", "no"),
        ("allowusers", "admin"),
    ],
)
def test_sshd_is_hardened(sshd, setting, value):
    assert [line for line in sshd if line.startswith(f"{setting} ")] == [f"{setting} {value}"]


@pytest.mark.parametrize(
    ("setting", "weak"),
    [("macs", "hmac-sha1"), ("macs", "umac-64"), ("kexalgorithms", "nistp"), ("hostkeyalgorithms", "ecdsa")],
)
def test_sshd_offers_nothing_weak(sshd, setting, weak):
    (offered,) = (line for line in sshd if line.startswith(f"{setting} "))
    assert weak not in offered


def test_security_updates_are_installed_once_a_day(out):
    settings = out("apt-config", "dump")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    assert 'APT::Periodic::Update-Package-Lists "1";' in settings
    assert "label=Debian-Security" in settings
    assert out("systemctl", "is-enabled", "apt-daily-upgrade.timer").strip() == "enabled"


def test_sshd_trusts_the_certificates_authority(out, sshd):
    path = next(line.split()[1] for line in sshd if line.startswith("trustedusercakeys "))
    assert path != "none"
    assert out("cat", path).startswith(("ssh-", "ecdsa-"))


def test_the_login_user_becomes_root_without_a_password(out):
    assert out("id", "-u") == "0"

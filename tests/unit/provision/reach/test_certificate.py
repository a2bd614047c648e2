import io
from datetime import timedelta

import pytest
from paramiko import RSAKey

from doubles.lightsail.access import new_key, private_pem
from provision.errors import CommandError
from provision.reach import certificate


def _key(private):
    return RSAKey.from_private_key(io.StringIO(private))


def test_a_certificate_is_read(pair, now):
    private, line = pair()
    read = certificate.parse(line)
    assert read.principals == ("admin",)
    assert read.valid_before == now + timedelta(hours=1)
    assert read.public_key == _key(private).asbytes()


def test_a_good_one_passes(pair, now):
    private, line = pair()
    certificate.require_usable(certificate.parse(line), _key(private), "admin", now)


@pytest.mark.parametrize(
    ("user", "later", "said"),
    [
        ("admin", timedelta(hours=2), "expired at 2026-11-21 13:00:00 UTC"),
        ("admin", timedelta(days=-1), "valid only from 2026-11-21 11:59:00 UTC"),
        ("ec2-user", timedelta(0), "lets admin in, not ec2-user"),
    ],
)
def test_what_sshd_would_refuse_without_a_reason_is_refused_with_one(pair, now, user, later, said):
    private, line = pair()
    with pytest.raises(CommandError, match=said):
        certificate.require_usable(certificate.parse(line), _key(private), user, now + later)


def test_a_certificate_for_another_key_is_refused(pair, now):
    _, line = pair()
    with pytest.raises(CommandError, match="does not belong to the private key"):
        certificate.require_usable(certificate.parse(line), _key(private_pem(new_key())), "admin", now)


@pytest.mark.parametrize("cut", [10, 400, 600])
def test_a_torn_certificate_is_refused_and_nothing_else_is_raised(pair, cut):
    with pytest.raises(CommandError, match="none that OpenSSH knows"):
        certificate.parse(pair()[1][:cut])


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", "ssh-dss-cert-v01@openssh.com AAAA", "x y z"])
def test_what_is_no_certificate_is_refused(text):
    with pytest.raises(CommandError):
        certificate.parse(text)

import base64
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_identity

from doubles.lightsail.access import Authority, host_key_entries, new_key, private_pem, public_line

pytestmark = pytest.mark.process

NOW = 1_800_000_000.5


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.at(tmp_path_factory.mktemp("ca") / "ca.pem")


@pytest.fixture(scope="module")
def key():
    return new_key()


def as_openssh_reads(line, folder):
    (folder / "cert.pub").write_text(line)
    listed = subprocess.run(["ssh-keygen", "-Lf", folder / "cert.pub"], capture_output=True, text=True, check=True)
    return listed.stdout


def test_a_certificate_is_for_one_user_and_one_hour(authority, key):
    made = load_ssh_public_identity(authority.certificate(key, "admin", NOW).encode())
    assert made.valid_principals == [b"admin"]
    assert (made.valid_after, made.valid_before) == (1_800_000_000 - 60, 1_800_000_000 + 3600)
    assert made.public_key() == key.public_key()


def test_a_modern_certificate_is_signed_with_sha2(authority, key, tmp_path):
    told = as_openssh_reads(authority.certificate(key, "admin", NOW), tmp_path)
    assert "using rsa-sha2-512" in told
    assert "permit-pty" in told


def test_an_old_certificate_differs_in_its_signature_alone(authority, key, tmp_path):
    told = as_openssh_reads(Authority(authority.key, old=True).certificate(key, "admin", NOW), tmp_path)
    assert "using ssh-rsa" in told
    assert "admin" in told


def test_an_authority_is_made_once_and_kept_from_others(tmp_path):
    first = Authority.at(tmp_path / "ca.pem")
    assert Authority.at(tmp_path / "ca.pem").public == first.public
    assert (tmp_path / "ca.pem").stat().st_mode & 0o777 == 0o600


def test_a_private_key_is_one_that_openssh_reads(key, tmp_path):
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(private_pem(key))
    derived = subprocess.run(["ssh-keygen", "-yf", tmp_path / "key"], capture_output=True, text=True, check=True)
    assert derived.stdout.split()[:2] == public_line(key).split()


def test_host_keys_are_reported_with_the_fingerprints_openssh_tells(key, tmp_path):
    algorithm, blob = public_line(key).split()
    (told,) = host_key_entries({algorithm: blob}, NOW)
    (tmp_path / "key.pub").write_text(public_line(key))
    for form, name in (("sha256", "fingerprintSHA256"), ("sha1", "fingerprintSHA1")):
        command = ["ssh-keygen", "-lf", tmp_path / "key.pub", "-E", form]
        assert told[name] in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (told["algorithm"], base64.b64decode(told["publicKey"])[4:11]) == ("ssh-rsa", b"ssh-rsa")

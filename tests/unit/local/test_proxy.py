"""What one program reads of a proxy and its authority, all of them get."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import NameOID

from local import proxy

NONE = Path("/nosuch")


@pytest.fixture
def authority(tmp_path):
    (tmp_path / "ca.pem").touch()
    return str(tmp_path / "ca.pem")


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_one_name_of_the_authority_stands_for_the_others(authority, name):
    assert proxy.settings({name: authority}) == {"SSL_CERT_FILE": authority, "REQUESTS_CA_BUNDLE": authority}


def test_without_one_the_distributions_store_is_trusted(authority):
    assert proxy.settings({}, Path(authority))["SSL_CERT_FILE"] == authority


def test_a_file_that_is_not_there_is_refused_under_the_name_that_was_set():
    with pytest.raises(proxy.NoAuthority, match=r"at /nosuch\.pem: correct CURL_CA_BUNDLE"):
        proxy.settings({"CURL_CA_BUNDLE": "/nosuch.pem"})


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_a_proxy_is_named_in_small_and_large_letters(name):
    assert proxy.settings({name: "http://proxy:1"}, NONE) == {
        "https_proxy": "http://proxy:1",
        "HTTPS_PROXY": "http://proxy:1",
    }


def test_nothing_set_adds_nothing():
    assert proxy.settings({"http_proxy": "", "SSL_CERT_FILE": ""}, NONE) == {}


def test_apt_gets_the_authority_as_an_option(authority):
    assert proxy.apt_options({"SSL_CERT_FILE": authority}) == ["-o", f"Acquire::https::CAInfo={authority}"]
    assert proxy.apt_options({}) == []


def test_the_local_cloud_is_called_without_the_proxy():
    assert proxy.without_proxy("corp", "10.77.0.1") == "corp,localhost,127.0.0.1,10.77.0.1"
    assert proxy.without_proxy("corp,localhost,127.0.0.1", "10.77.0.1") == "corp,localhost,127.0.0.1,10.77.0.1"
    assert proxy.without_proxy("") == "localhost,127.0.0.1"


def test_a_java_program_gets_the_proxy_as_options():
    found = proxy.java_options({"https_proxy": "http://proxy.corp:3128"})
    assert found == ["-Dhttps.proxyHost=proxy.corp", "-Dhttps.proxyPort=3128"]
    assert proxy.java_options({}) == []


def certificate(name):
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(called).issuer_name(called).public_key(key.public_key())
    made = (
        made.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    )
    return made.sign(key, hashes.SHA256())


def test_a_java_program_trusts_each_certificate_of_the_authoritys_file(tmp_path):
    held = [certificate("proxy"), certificate("another")]
    (tmp_path / "ca.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in held))
    options = proxy.java_authority({"SSL_CERT_FILE": str(tmp_path / "ca.pem")}, tmp_path, NONE)
    given = dict(option.removeprefix("-Djavax.net.ssl.").split("=", 1) for option in options)
    store = pkcs12.load_pkcs12(Path(given["trustStore"]).read_bytes(), given["trustStorePassword"].encode())
    assert {each.certificate for each in store.additional_certs} == set(held)
    assert given["trustStoreType"] == "PKCS12"


def test_a_java_program_trusts_the_distributions_store_by_itself(authority, tmp_path):
    assert proxy.java_authority({"SSL_CERT_FILE": authority}, tmp_path, Path(authority)) == []
    assert proxy.java_authority({}, tmp_path) == []
    assert not (tmp_path / "authority.p12").exists()


def test_an_authority_that_is_no_certificate_is_refused_by_name(authority, tmp_path):
    with pytest.raises(proxy.NoAuthority, match=r"ca\.pem holds no certificates as PEM: correct SSL_CERT_FILE"):
        proxy.java_authority({"SSL_CERT_FILE": authority}, tmp_path, NONE)

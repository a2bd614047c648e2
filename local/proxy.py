"""A proxy and its authority, under each name that a program reads: uv, Go, apt, Python and Pulumi differ."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

_AUTHORITY = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_STORE = Path("/etc/ssl/certs/ca-certificates.crt")
"""The distribution's own: without it uv would trust a list of its own, and no authority that was added here."""
_PAIRS = (("http_proxy", "HTTP_PROXY"), ("https_proxy", "HTTPS_PROXY"), ("no_proxy", "NO_PROXY"))


class NoAuthority(RuntimeError):
    """The variable that names a file of certificates names one that is not there."""


def settings(environ: Mapping[str, str], store: Path = _STORE) -> dict[str, str]:
    """Return what is missing in `environ`: one given name of a setting stands for its others.

    Where no authority is named it is the distribution's `store`. Raises `NoAuthority`.
    """
    found: dict[str, str] = {}
    named = next((name for name in _AUTHORITY if environ.get(name)), None)
    if named and not Path(environ[named]).is_file():
        raise NoAuthority(f"there is no file of certificates at {environ[named]}: correct {named}, or unset it")
    authority = environ[named] if named else str(store) if store.is_file() else None
    if authority:
        found.update(dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), authority))
    for names in _PAIRS:
        if value := next((environ[name] for name in names if environ.get(name)), None):
            found.update(dict.fromkeys(names, value))
    return found


def apt_options(environ: Mapping[str, str]) -> list[str]:
    """Return the options by which apt trusts the authority: it reads no variable for it."""
    authority = environ.get("SSL_CERT_FILE")
    return ["-o", f"Acquire::https::CAInfo={authority}"] if authority else []


def java_options(environ: Mapping[str, str]) -> list[str]:
    """Return the options by which a Java program uses the proxy: it reads no variable for it."""
    proxies = {scheme: urlsplit(environ.get(f"{scheme}_proxy", "")) for scheme in ("http", "https")}
    return [
        f"-D{scheme}.proxy{name}={value}"
        for scheme, url in proxies.items()
        if url.hostname
        for name, value in (("Host", url.hostname), ("Port", url.port or 80))
    ]


def without_proxy(no_proxy: str, *addresses: str) -> str:
    """Return a NO_PROXY that spares this machine and `addresses` the proxy, after what `no_proxy` spares already."""
    spared = [place for place in no_proxy.split(",") if place]
    return ",".join(dict.fromkeys([*spared, "localhost", "127.0.0.1", *addresses]))


_JAVAS = "public"
"""A password that Java wants around certificates, which are no secret."""


def java_authority(environ: Mapping[str, str], folder: Path, store: Path = _STORE) -> list[str]:
    """Write the authority to `folder` as Java reads it, and return the options that name it; Java reads no variable.

    Nothing is written for the distribution's own `store`, from which Debian makes Java's too. Raises `NoAuthority`.
    """
    authority = environ.get("SSL_CERT_FILE")
    if not authority or Path(authority).resolve() == store.resolve():
        return []
    # Of use behind such a proxy only, and for one program of many.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12  # noqa: PLC0415

    try:
        found = x509.load_pem_x509_certificates(Path(authority).read_bytes())
    except ValueError as error:
        raise NoAuthority(f"{authority} holds no certificates as PEM: correct SSL_CERT_FILE, or unset it") from error
    named = [pkcs12.PKCS12Certificate(each, f"{number}".encode()) for number, each in enumerate(found)]
    trusted = folder / "authority.p12"
    trusted.write_bytes(pkcs12.serialize_java_truststore(named, BestAvailableEncryption(_JAVAS.encode())))
    return [
        f"-Djavax.net.ssl.trustStore={trusted}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={_JAVAS}",
    ]

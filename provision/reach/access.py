"""Access for an hour: Lightsail's temporary key and certificate for an instance, checked before they are used."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import botocore.session
import paramiko
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from provision.errors import CommandError
from provision.reach import aws_errors, certificate
from provision.reach.inventory import Host, Inventory
from wire.secret import Secret

KEY_CLASSES = (paramiko.RSAKey, paramiko.Ed25519Key, paramiko.ECDSAKey)


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that a login to one instance needs; `host_keys` are (algorithm, base64) pairs."""

    name: str
    address: str
    username: str
    key: Secret
    certificate: str
    host_keys: tuple[tuple[str, str], ...]
    port: int = 22

    @property
    def known_as(self) -> str:
        """The name under which OpenSSH and paramiko look its host keys up."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"


def client(inventory: Inventory) -> Any:
    """Return the stack's Lightsail API. The local one gets made-up credentials: real ones never travel to it."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3})
    made_up = {"aws_access_key_id": "local", "aws_secret_access_key": "local"} if inventory.endpoint else {}
    return service("lightsail", inventory.region, config, endpoint_url=inventory.endpoint, **made_up)


def service(name: str, region: str | None, config: Config, **given: Any) -> Any:
    """Return the API of one of AWS's services; raises `CommandError`."""
    try:
        # Not boto3's: it imports how files go to S3, a tenth of what a command takes.
        return botocore.session.get_session().create_client(name, region_name=region, config=config, **given)
    except BotoCoreError as error:  # a profile, a configuration file or a region that is not right
        raise CommandError(
            f"this machine's AWS configuration can't be used: {error}",
            "fix or unset AWS_PROFILE; the region is the stack's jada:region",
        ) from error


def caller(inventory: Inventory) -> str | None:
    """Return the ARN under which this machine acts in AWS; None on the local stack, or where AWS does not say."""
    if inventory.endpoint:
        return None
    try:
        config = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 1})
        sts = botocore.session.get_session().create_client("sts", region_name=inventory.region, config=config)
        # Needs no permission: STS answers whoever signs.
        return str(sts.get_caller_identity()["Arn"])
    except (ClientError, BotoCoreError):
        return None


def obtain(lightsail: Any, host: Host, now: datetime) -> Access:
    """Ask for access to a running instance and check what came; `now` is an aware time. Raises `CommandError`."""
    try:
        state = lightsail.get_instance(instanceName=host.name)["instance"]["state"]["name"]
        if state != "running":
            raise CommandError(f"instance {host.name} is {state}, not running", _how_to_start(host.name))
        details = lightsail.get_instance_access_details(instanceName=host.name, protocol="ssh")["accessDetails"]
    except (ClientError, BotoCoreError) as error:
        raise aws_errors.explained(host.name, error, local=_is_local(lightsail)) from error
    access = _read_details(host.name, details)
    certificate.require_usable(certificate.parse(access.certificate), private_key(access), access.username, now)
    return access


def private_key(access: Access) -> paramiko.PKey:
    """Read the temporary key, of whichever kind it is, and put the certificate beside it."""
    for kind in KEY_CLASSES:
        try:
            key = kind.from_private_key(io.StringIO(access.key.reveal()))
        except (paramiko.SSHException, ValueError):
            continue
        try:
            key.load_certificate(access.certificate)
        except ValueError as error:
            raise CommandError(f"key and certificate are of different kinds: {error}", "run again") from error
        return key
    raise CommandError("Lightsail's temporary key is none that OpenSSH knows", "run again; report it if it stays")


def known_hosts(access: Access) -> str:
    """Return the instance's verified host keys as lines of a known_hosts file."""
    return "".join(f"{access.known_as} {algorithm} {blob}\n" for algorithm, blob in access.host_keys)


def utc_now() -> datetime:
    """Return this machine's time, against which certificates are checked."""
    return datetime.now(UTC)


def _is_local(lightsail: Any) -> bool:
    """Whether a client asks the local cloud."""
    return not str(lightsail.meta.endpoint_url).endswith(".amazonaws.com")


def _read_details(name: str, details: Mapping[str, Any]) -> Access:
    keys = tuple((key["algorithm"], _blob(key["publicKey"])) for key in details.get("hostKeys") or ())
    if not keys:
        # To trust the first key that answers would trust whoever answers.
        raise CommandError(
            f"Lightsail has not seen {name}'s host keys yet", "wait a minute after the first boot, then again"
        )
    return Access(
        name=name,
        address=details["ipAddress"],
        username=details["username"],
        # OpenSSH refuses a key file that lacks its last newline.
        key=Secret(details["privateKey"].strip() + "\n"),
        certificate=details["certKey"].strip(),
        host_keys=keys,
    )


def _blob(public_key: str) -> str:
    """The base64 of a host key, which the API gives bare; a whole line of a .pub file is taken as well."""
    fields = public_key.split()
    return fields[1] if len(fields) > 1 else fields[0]


def _how_to_start(name: str) -> str:
    return f"start it: aws lightsail start-instance --instance-name {name}, wait until it runs, then again"

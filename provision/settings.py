"""What the operator sets for deploys: the section [deploy] of jada.<stack>.toml."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from wire.values import Value, decode


class Settings(Value, frozen=True, kw_only=True):
    """The section [deploy]: releases kept on a host, seconds in which a switched one must be healthy, seconds to
    connect, seconds for which it must have held to count as deployed, and then as proven, whether a deploy needs a
    notification target that took a test (the stack `local` never does), and the service that says as which address this
    machine is seen, for `--door`.
    """

    # At least two: a release that fails goes back to the one before.
    keep_releases: Annotated[int, Meta(ge=2, le=20)] = 3
    health_s: Annotated[int, Meta(ge=10, le=900)] = 120
    connect_s: Annotated[int, Meta(ge=1, le=120)] = 15
    deployed_s: Annotated[int, Meta(ge=1, le=600)] = 10
    proven_s: Annotated[int, Meta(ge=1, le=3600)] = 75
    notify: Literal["required", "none"] = "required"
    # By https, because what it answers is let in through the firewall.
    address_service: Annotated[
        str, Meta(pattern=r"^(https://[^\s/]+(/\S*)?)?\Z", description="an https address, or empty")
    ] = ""


def read(section: Any) -> Settings:
    """Make the settings of a section's plain data; raises `Invalid`, which names the key."""
    return decode(Settings, section, "deploy")

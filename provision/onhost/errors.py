"""Why a deploy stopped; the messages are for the operator."""


class DeployError(Exception):
    """A deploy that can't go on."""


class DeployRefused(DeployError):
    """Nothing was done."""


class SystemStepFailed(DeployError):
    """A program of the system's failed."""


class ContentDamaged(DeployError):
    """A file is not what the plan or the manifest names."""


class Stopped(DeployError):
    """The installer was asked to end, or was ended, before its last word."""


class Unhealthy(DeployError):
    """A release whose services did not come up, or did not stay; `unit` is the one whose journal says why."""

    def __init__(self, text: str, unit: str | None = None) -> None:
        super().__init__(text)
        self.unit = unit

"""Why a deploy stopped; the messages are for the operator."""


class DeployError(Exception):
    """A deploy that can't go on."""


class DeployRefused(DeployError):
    """Nothing was done."""


class SystemStepFailed(DeployError):
    """A program of the system's failed."""


class ContentDamaged(DeployError):
    """A file is not what the plan or the manifest names."""


class Unhealthy(DeployError):
    """A release whose services did not come up; with the end of their journal."""

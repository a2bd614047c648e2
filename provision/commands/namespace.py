"""The list that `fab --list` shows."""

from invoke.collection import Collection

from provision.commands import task
from provision.commands.dashboard import dashboard
from provision.commands.deploy import deploy
from provision.commands.logs import logs
from provision.commands.notify import notify
from provision.commands.plan import plan
from provision.commands.secrets import secrets
from provision.commands.ssh import ssh
from provision.commands.status import status
from provision.commands.verify import verify

namespace = Collection(plan, deploy, secrets, verify, notify, status, dashboard, ssh, logs, task.namespace)

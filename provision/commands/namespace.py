"""The list that `fab --list` shows."""

from invoke.collection import Collection

from provision.commands import task
from provision.commands.dashboard import dashboard
from provision.commands.deploy import deploy
from provision.commands.logs import logs
from provision.commands.plan import plan
from provision.commands.secrets import keep_secrets
from provision.commands.ssh import ssh
from provision.commands.status import tell_status
from provision.commands.verify import prove

namespace = Collection(plan, deploy, keep_secrets, prove, tell_status, dashboard, ssh, logs, task.namespace)

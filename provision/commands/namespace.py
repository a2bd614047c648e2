"""All commands, and the groups in which `fab` lists them."""

from invoke.collection import Collection

from provision.commands import copies, task, token
from provision.commands.accept import accept
from provision.commands.audit import audit
from provision.commands.backup import backup, backup_key
from provision.commands.dashboard import dashboard
from provision.commands.deploy import attach, deploy
from provision.commands.doctor import doctor
from provision.commands.door import door
from provision.commands.logs import logs
from provision.commands.move import move_queue
from provision.commands.notify import notify
from provision.commands.pause import pause, resume
from provision.commands.plan import plan
from provision.commands.reauth import reauth
from provision.commands.releases import history, releases, rollback
from provision.commands.restore import restore
from provision.commands.secrets import secrets
from provision.commands.snapshots import snapshot, snapshots
from provision.commands.ssh import ssh
from provision.commands.status import status
from provision.commands.sync import sync_explain, sync_plan, sync_source
from provision.commands.table import table_key
from provision.commands.verify import verify

namespace = Collection(
    *(doctor, plan, deploy, accept, attach, rollback, releases, history, secrets, verify, notify, audit, status),
    *(dashboard, ssh, logs),
    *(door, reauth, sync_source, sync_plan, sync_explain),
    *(pause, resume, backup_key, backup, restore, snapshots, snapshot),
    *(table_key, move_queue),
    *(task.namespace, copies.namespace, token.namespace),
)

GROUPS = {
    "Make a host a worker": ("doctor", "plan", "secrets", "deploy", "attach", "rollback", "verify", "accept"),
    "Look at a host": ("audit", "status", "releases", "history", "dashboard", "logs", "ssh", "notify"),
    "Give it work": (
        "task.add",
        "task.list",
        "task.show",
        "task.tail",
        "task.answer",
        "task.edit",
        "task.cancel",
        "task.retry",
        "task.get",
    ),
    "Keep its sheet": ("reauth", "sync-source", "sync-plan", "sync-explain"),
    "Keep its queue": ("queue.backup", "queue.list", "queue.restore", "table-key", "move-queue"),
    "Let it rest, keep it, replace it": ("pause", "resume", "backup-key", "backup", "restore", "snapshots", "snapshot"),
    "Come in from anywhere": ("door",),
    "Let other hosts in": ("token.make", "token.list", "token.revoke"),
}

"""The night's backup to a real SFTP server: what arrives opens with the operator's key, and what fails is told."""

import base64
import json
import re

import pytest

from local.process import wait_until
from wire.types import State

pytestmark = [pytest.mark.root, pytest.mark.chain]
NIGHTLY = "/var/lib/jada-backup/nightly.json"
KEEPER = """
useradd --create-home --shell /usr/sbin/nologin keeper
install -d -m 0700 -o keeper -g keeper /home/keeper/.ssh
echo '{key}' >/home/keeper/.ssh/authorized_keys
chown keeper:keeper /home/keeper/.ssh/authorized_keys
printf 'AllowUsers keeper\\nMatch User keeper\\n  ForceCommand internal-sftp\\n' >/etc/ssh/sshd_config.d/05-keeper.conf
sshd -t && systemctl reload ssh
cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub
"""


@pytest.fixture
def target(chain, tmp_path):
    """The host itself keeps its backups, for a user that may only do that; the settings and the secret name it."""
    chain.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "backup_key"))
    public = (tmp_path / "backup_key.pub").read_text().strip()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "backup_key").rename(tmp_path / "secrets" / "backup_key")
    host_key = chain.host(KEEPER.format(key=public)).strip()
    recipient = chain.fab("backup-key", str(tmp_path / "key")).stdout.strip()
    file = chain.folder / "jada.local.toml"
    before = file.read_text()
    text = re.sub(r"^recipients = .*$", f'recipients = ["{recipient}"]', before, flags=re.MULTILINE)
    text = re.sub(r"^target = .*$", 'target = "sftp://keeper@127.0.0.1/kept"', text, flags=re.MULTILINE)
    text = re.sub(r"^host_key = .*$", f'host_key = "{host_key}"', text, flags=re.MULTILINE)
    replaced = file.is_symlink()
    link = file.readlink() if replaced else None
    file.unlink()
    file.write_text(text)
    chain.fab("secrets", "--from", str(tmp_path / "secrets"))
    chain.fab("deploy")
    yield tmp_path
    file.unlink()
    file.symlink_to(link) if replaced else file.write_text(before)
    # The deploy makes sshd read its files again and keeps that: of a reload by hand systemd knows nothing after one.
    # Its manager may live on as long as logind counts its sessions, and a user with a process can't be removed.
    remove = "loginctl terminate-user keeper; userdel --remove keeper && echo gone"
    assert wait_until(lambda: "gone" in chain.host(remove, check=False), 30, 0.5)
    chain.host(f"rm -f /etc/ssh/sshd_config.d/05-keeper.conf {NIGHTLY}")
    chain.fab("deploy")
    chain.fab("attach")


def night(chain):
    chain.host("systemctl reset-failed jada-backup; systemctl start jada-backup", check=False)
    return json.loads(chain.host(f"cat {NIGHTLY}"))


def alarm(client):
    return next((task for task in client.tasks() if task.dedupe_key == "alarm:off-box"), None)


# Two deploys and three backups; a machine under load takes minutes for them.
@pytest.mark.timeout(600, func_only=True)
def test_it_arrives_whole_and_a_failure_is_an_alarm_until_the_next_one_arrives(chain, target, no_cron):
    word = night(chain)
    assert word["failed"] == ""
    kept = chain.host(f"cat /home/keeper/kept/{word['name']} | base64 -w0")
    (target / "got.age").write_bytes(base64.b64decode(kept))
    identity = ("--identity", str(target / "key"))
    assert "nothing was changed" in chain.fab("restore", str(target / "got.age"), *identity, "--dry-run").stdout
    with chain.dashboard() as client:
        assert f"jada_backup_size_bytes {word['size']:.1f}" in client.metrics()
        chain.host("chmod 0 /home/keeper/.ssh/authorized_keys; rm " + NIGHTLY)
        assert night(chain)["failed"]
        assert wait_until(lambda: alarm(client) and alarm(client).state is State.NEEDS_YOU, 90, 0.5)
        assert "Permission denied" in alarm(client).waiting.text
        chain.host("chmod 600 /home/keeper/.ssh/authorized_keys; chown keeper /home/keeper/.ssh/authorized_keys")
        assert night(chain)["failed"] == ""
        assert wait_until(lambda: alarm(client).state is State.DONE, 90, 0.5)

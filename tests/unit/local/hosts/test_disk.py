import subprocess
from pathlib import Path

import pytest

from local.hosts import disk
from local.hosts.disk import Identity
from local.hosts.image import image_folder

pytestmark = pytest.mark.root
WHO = Identity("ip-10-78-1-1", "10.78.1.1", "ssh-rsa AAAA ca", old_certificates=False)


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "box"
    disk.remove(tmp_path / "box")


def test_a_first_boot_makes_user_keys_and_trust(folder):
    root = disk.mount(image_folder(), folder, WHO)
    assert (root / "etc/hostname").read_text() == "ip-10-78-1-1\n"
    assert "admin:x:1000:1000" in (root / "etc/passwd").read_text()
    assert "admin:!:" in (root / "etc/shadow").read_text()
    assert (root / "etc/sudoers.d/90-cloud-init-users").stat().st_mode & 0o777 == 0o440
    config = (root / "etc/ssh/sshd_config").read_text()
    assert "\nTrustedUserCAKeys /etc/ssh/lightsail_instance_ca.pub\n" in config
    assert ("PasswordAuthentication no" in config, "CASignatureAlgorithms" in config) == (True, False)
    assert set(disk.host_keys(root)) == {"ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"}


def test_a_second_mount_keeps_who_the_host_is(folder):
    keys = disk.host_keys(disk.mount(image_folder(), folder, WHO))
    disk.unmount(folder)
    disk.unmount(folder)
    assert disk.host_keys(disk.mount(image_folder(), folder, Identity("other", "10.78.1.9", "ssh-rsa BBBB"))) == keys


def test_a_first_boot_cut_short_begins_anew(folder):
    root = disk.mount(image_folder(), folder, WHO)
    (root / "half-made").touch()
    (folder / "prepared").unlink()
    assert not (disk.mount(image_folder(), folder, WHO) / "half-made").exists()


def test_a_removed_disk_leaves_the_image_as_it_was(folder):
    def digest():
        listed = subprocess.run(
            ["find", image_folder(), "-newermt", "-1 minute"], capture_output=True, text=True, check=True
        )
        return listed.stdout

    before = digest()
    disk.mount(image_folder(), folder, WHO)
    disk.remove(folder)
    assert (folder.exists(), digest()) == (False, before)
    assert str(folder) not in Path("/proc/self/mounts").read_text()

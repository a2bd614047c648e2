import hashlib

import pytest

from provision.errors import CommandError
from provision.system import desired


def test_each_known_system_gets_the_sandbox_and_cron():
    for blueprint in ("debian_12", "ubuntu_24_04"):
        assert set(desired.packages(blueprint)) == {"bubblewrap", "cron"}


def test_an_unknown_system_is_refused_with_the_known_ones():
    with pytest.raises(CommandError, match="debian_12, ubuntu_24_04"):
        desired.packages("amzn_2023")


def test_a_file_is_compared_by_its_content():
    file = desired.config_files()[0]
    assert file.digest == hashlib.sha256(file.content.encode()).hexdigest()


def test_sshd_keeps_the_images_authority_and_takes_the_temporary_keys_size():
    content = next(file.content for file in desired.config_files() if file.kind == "sshd")
    settings = [line for line in content.splitlines() if not line.startswith("#")]
    assert not [line for line in settings if "TrustedUserCAKeys" in line or "CASignature" in line]
    assert "RequiredRSASize 2048" in settings

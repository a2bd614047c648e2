import hashlib

import pytest

from infra import settings as infra
from local.hosts import image
from provision.errors import CommandError
from provision.system import desired


@pytest.mark.parametrize("blueprint", desired.PACKAGES)
def test_each_known_system_gets_the_sandbox_cron_and_security_updates(blueprint):
    assert set(desired.packages(blueprint)) == {"bubblewrap", "cron", "unattended-upgrades"}


def test_the_blueprints_of_the_program_of_a_host_and_of_the_local_images_are_the_same():
    assert {*infra.BLUEPRINTS} == {*desired.PACKAGES} == {*image.SUITES}


def test_an_unknown_system_is_refused_with_the_known_ones():
    with pytest.raises(CommandError, match="debian_12, debian_13"):
        desired.packages("amzn_2023")


def test_a_file_is_compared_by_its_content():
    file = desired.config_files()[0]
    assert file.digest == hashlib.sha256(file.content.encode()).hexdigest()


def test_sshd_keeps_the_images_authority_and_takes_the_temporary_keys_size():
    content = next(file.content for file in desired.config_files() if file.kind == "sshd")
    settings = [line for line in content.splitlines() if not line.startswith("#")]
    assert not [line for line in settings if "TrustedUserCAKeys" in line or "CASignature" in line]
    assert "RequiredRSASize 2048" in settings

"""What the program takes its settings from, and how it refuses them."""

import pulumi
import pytest

CONFIG = {"jada:region": "eu-west-1", "jada:operator-cidrs": '["203.0.113.7/32"]'}


def test_the_settings_are_pulumis_configuration_of_the_stack(read_settings):
    chosen = read_settings("prod", CONFIG)
    assert (chosen.stack, chosen.region, chosen.operator_cidrs) == ("prod", "eu-west-1", ("203.0.113.7/32",))


def test_a_refused_setting_ends_the_program_with_a_message_that_pulumi_shows_bare(read_settings):
    with pytest.raises(pulumi.RunError, match=r"^jada:region: is missing: the AWS region"):
        read_settings("prod", {})


def test_a_real_stack_is_refused_in_a_shell_of_the_local_cloud(read_settings, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_LIGHTSAIL", "http://10.77.0.1:8700")
    with pytest.raises(
        pulumi.RunError, match="AWS_ENDPOINT_URL_LIGHTSAIL diverts AWS calls, and stack 'prod' is a real"
    ):
        read_settings("prod", CONFIG)

"""What the program takes its settings from, and how it refuses them."""

import asyncio
import contextvars

import pulumi
import pytest
from pulumi.runtime import mocks

from infra import __main__ as program

CONFIG = {"jada:region": "eu-west-1", "jada:operator-cidrs": '["203.0.113.7/32"]'}


class Nothing(mocks.Mocks):
    """An engine for a program that declares nothing."""

    def new_resource(self, args):
        return "", {}

    def call(self, args):
        return {}


def settings_of(stack: str, config: dict[str, str]):
    async def inside():
        mocks.set_mocks(Nothing(), project="jada", stack=stack, preview=False)
        pulumi.runtime.set_all_config(config)
        return program._settings()

    return contextvars.copy_context().run(asyncio.run, inside())


def test_the_settings_are_pulumis_configuration_of_the_stack():
    chosen = settings_of("prod", CONFIG)
    assert (chosen.stack, chosen.region, chosen.operator_cidrs) == ("prod", "eu-west-1", ("203.0.113.7/32",))


def test_a_refused_setting_ends_the_program_with_a_message_that_pulumi_shows_bare():
    with pytest.raises(pulumi.RunError, match="^jada:region: is missing: the AWS region"):
        settings_of("prod", {})


def test_a_real_stack_is_refused_in_a_shell_of_the_local_cloud(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_LIGHTSAIL", "http://10.77.0.1:8700")
    with pytest.raises(
        pulumi.RunError, match="AWS_ENDPOINT_URL_LIGHTSAIL diverts AWS calls, and stack 'prod' is a real"
    ):
        settings_of("prod", CONFIG)

"""Pulumi's own mocks: they answer as AWS would, and keep what the program registered, options and all."""

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import replace

import pytest
from pulumi.runtime import mocks, rpc, run_in_stack, set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs
from pulumi.runtime.settings import set_root_resource

from infra import __main__ as program
from infra import settings

CONFIG = {"jada:region": "eu-west-1", "jada:operator-cidrs": '["203.0.113.7/32"]'}
LOCAL = {**CONFIG, "jada:endpoint": "http://10.77.0.1:8700"}


class Cloud(mocks.Mocks):
    """Gives each host a user and addresses, as Lightsail does."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict]:
        outputs = dict(args.inputs)
        if "lightsail/instance:" in args.typ:
            outputs |= {"username": "admin", "publicIpAddress": "192.0.2.1", "privateIpAddress": "172.26.0.1"}
        if "lightsail/staticIp:" in args.typ:
            outputs |= {"ipAddress": "192.0.2.99"}
        if "dynamodb/table:" in args.typ:
            outputs |= {"arn": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{args.name}"}
        return args.name, outputs

    def call(self, args: MockCallArgs) -> dict:
        raise NotImplementedError(args.token)


class Monitor(mocks.MockMonitor):
    """Keeps each registration whole: the mocks see inputs only, never `protect` or `retain_on_delete`."""

    def __init__(self) -> None:
        super().__init__(Cloud())
        self.requests: list = []
        self.outputs: dict = {}

    def RegisterResource(self, request):  # noqa: N802 - the name is the engine's
        self.requests.append(request)
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request):  # noqa: N802 - the name is the engine's
        # The mocks begin with a stack of their own, without outputs, and may say so after the program has said its own.
        self.outputs |= rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)

    def registered(self, kind: str) -> list:
        """The registrations of one type, such as `Instance`, by name: Pulumi registers them as their inputs resolve,
        in an order that changes from run to run.
        """
        found = [request for request in self.requests if request.type.endswith(f":{kind}")]
        return sorted(found, key=lambda request: request.name)


def in_stack(stack: str, act: Callable[[], None], monitor: mocks.MockMonitor | None = None) -> None:
    """Run something as a stack's program, without an engine."""

    async def inside() -> None:
        mocks.set_mocks(Cloud(), project="jada", stack=stack, preview=False, monitor=monitor)
        set_root_resource(None)  # the mocks' own: run_in_stack makes the one that carries the outputs
        await run_in_stack(act)

    contextvars.copy_context().run(asyncio.run, inside())


@pytest.fixture
def declare():
    """Run the program's declarations for a configuration (`hosts_` is the setting); `hosts` instead of its own, which
    without a table may be only one.
    """

    def run(stack: str, hosts: tuple[str, ...] = (), **changed: str) -> Monitor:
        config = LOCAL if stack == "local" else CONFIG
        given = {f"jada:{key.strip('_').replace('_', '-')}": value for key, value in changed.items()}
        monitor, chosen = Monitor(), settings.read(stack, {**config, **given}, {})
        built = replace(chosen, hosts=hosts or chosen.hosts)
        in_stack(stack, lambda: program.build(built), monitor)
        return monitor

    return run


@pytest.fixture
def read_settings():
    """Have the program read its settings from Pulumi's configuration."""

    def run(stack: str, config: dict[str, str]) -> settings.Settings:
        read: list[settings.Settings] = []

        def act() -> None:
            set_all_config(config)
            read.append(program._settings())

        in_stack(stack, act)
        return read[0]

    return run

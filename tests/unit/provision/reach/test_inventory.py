import json
import os
import stat

import pytest

from provision.errors import CommandError
from provision.reach import inventory

HOST = {"name": "jada-orchestrator", "username": "admin", "address": "192.0.2.7", "private_address": "10.0.0.7"}
LOCAL = {"region": "us-east-1", "endpoint": "http://10.77.0.1:8700", "hosts": [HOST]}
REAL = {**LOCAL, "endpoint": None}


def _exported(outputs):
    """What `pulumi stack export` says of a stack with an address, made before the stack had its outputs."""
    address = {"type": "aws:lightsail/staticIp:StaticIp", "outputs": {"inventory": "of something else"}}
    stack = {"type": "pulumi:pulumi:Stack", "outputs": outputs}
    return json.dumps({"version": 3, "deployment": {"resources": [address, stack]}})


def _parsed(data):
    return inventory.parse(_exported({"inventory": data, "other": 1}))


def _pulumi(folder, script):
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_infras_output_is_read():
    read = _parsed(LOCAL)
    assert read.endpoint == "http://10.77.0.1:8700"
    assert read.hosts[0].address == "192.0.2.7"


@pytest.mark.parametrize(
    "exported",
    [
        '{"version": 3, "deployment": {"manifest": {}, "metadata": {}}}',
        '{"version": 3, "deployment": null}',
        '{"version": 3, "deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}]}}',
        _exported({"other": 1}),
    ],
)
def test_a_stack_that_made_nothing_yet_must_come_up_first(exported):
    with pytest.raises(CommandError, match="pulumi up"):
        inventory.parse(exported)


def test_an_output_of_another_shape_names_the_field():
    with pytest.raises(CommandError, match=r"inventory.hosts\[0\].address: missing"):
        _parsed({**LOCAL, "hosts": [{"name": "a", "username": "admin", "private_address": "10.0.0.7"}]})


@pytest.mark.parametrize(
    ("given", "environ", "meant"),
    [(None, {}, "local"), (None, {"JADA_STACK": "prod"}, "prod"), ("test", {"JADA_STACK": "prod"}, "test")],
)
def test_the_stack_is_the_one_given_then_the_environments_then_local(given, environ, meant):
    assert inventory.stack_name(given, environ) == meant


def test_the_local_stack_without_a_local_endpoint_is_refused():
    with pytest.raises(CommandError, match=r"stack local .* real account"):
        inventory.require_matching_cloud("local", _parsed(REAL), {})


def test_the_local_stack_with_an_endpoint_far_away_is_refused():
    away = _parsed({**LOCAL, "endpoint": "https://lightsail.us-east-1.example.com"})
    with pytest.raises(CommandError, match="not on this machine"):
        inventory.require_matching_cloud("local", away, {})


def test_a_real_stack_with_a_local_endpoint_is_refused():
    with pytest.raises(CommandError, match="stack prod is a real one, but its Lightsail API is the double"):
        inventory.require_matching_cloud("prod", _parsed(LOCAL), {})


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LIGHTSAIL"])
def test_a_real_stack_in_a_shell_of_the_local_cloud_is_refused(variable):
    with pytest.raises(CommandError, match=f"{variable} leads elsewhere"):
        inventory.require_matching_cloud("prod", _parsed(REAL), {variable: "http://10.77.0.1:8700"})


def test_a_shell_of_one_local_cloud_in_the_folder_of_another_is_refused_before_anything_is_asked(tmp_path):
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  jada:endpoint: http://10.77.0.1:8700\n")
    environ = {"AWS_ENDPOINT_URL_LIGHTSAIL": "http://10.91.0.1:8700", "JADA_SITE": "two", "PATH": ""}
    with pytest.raises(CommandError, match=r"acts on the local cloud at http://10\.91\.0\.1:8700") as refused:
        inventory.read("local", tmp_path, environ)
    assert "make env JADA_SITE=two" in refused.value.cure
    own = {**environ, "AWS_ENDPOINT_URL_LIGHTSAIL": "http://10.77.0.1:8700"}
    inventory.require_settings_of_the_shells_site("local", tmp_path, own)
    inventory.require_settings_of_the_shells_site("local", tmp_path, {})
    inventory.require_settings_of_the_shells_site("prod", tmp_path, environ)


@pytest.mark.parametrize(("stack", "data"), [("local", LOCAL), ("prod", REAL)])
def test_stack_and_cloud_that_belong_together_pass(stack, data):
    inventory.require_matching_cloud(stack, _parsed(data), {})


def test_an_unknown_host_is_refused_with_the_known_ones():
    with pytest.raises(CommandError, match="no host other in this stack; it has jada-orchestrator"):
        inventory.choose(_parsed(LOCAL), "other")


@pytest.mark.process
def test_pulumi_is_asked_for_the_stack_by_name(tmp_path):
    answer = _exported({"inventory": LOCAL})
    environ = _pulumi(tmp_path, f"echo \"$@\" >asked; echo '{answer}'")
    assert inventory.read("local", tmp_path, environ).hosts[0].name == "jada-orchestrator"
    assert (tmp_path / "asked").read_text() == "stack export --stack local\n"


@pytest.mark.process
@pytest.mark.parametrize("ask", [inventory.read, inventory.configured])
def test_pulumi_is_not_asked_for_a_state_that_is_gone_because_it_would_leave_a_folder_there(tmp_path, ask):
    environ = {**_pulumi(tmp_path, "echo >asked; exit 1"), "PULUMI_BACKEND_URL": f"file://{tmp_path}/gone/pulumi"}
    with pytest.raises(CommandError, match=f"the state of stack local is gone: there is no {tmp_path}/gone") as refused:
        ask("local", tmp_path, environ)
    assert "`make demo`" in refused.value.cure
    assert not (tmp_path / "asked").exists()


@pytest.mark.process
def test_pulumis_own_words_are_passed_on(tmp_path):
    environ = _pulumi(tmp_path, "echo \"error: no stack named 'x' found\" >&2; exit 255")
    with pytest.raises(CommandError, match="no stack named 'x' found"):
        inventory.read("x", tmp_path, environ)


@pytest.mark.process
def test_without_pulumi_the_cure_is_named(tmp_path):
    with pytest.raises(CommandError, match="not on PATH"):
        inventory.read("local", tmp_path, {"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("said", "cause", "cure"),
    [
        ("error: no stack named 'prod' found", "has no outputs of stack prod", "pulumi up -s prod"),
        ("error: get credentials: failed to refresh cached credentials", "can't read the state", "aws sso login"),
        ("blob (key): AccessDenied: Access Denied", "can't read the state", "aws sso login"),
        ("", "no output", "pulumi up"),
    ],
)
def test_a_state_that_can_not_be_read_is_no_stack_that_is_not_there(said, cause, cure):
    refused = inventory.no_outputs("prod", said)
    assert cause in refused.cause
    assert cure in refused.cure


TABLE = {"name": "jada-queue", "user": "jada-queue-hosts"}


def test_a_table_is_the_one_that_the_stack_made():
    made = _parsed({**REAL, "table": TABLE})
    inventory.require_one_queue(made, "us-east-1/jada-queue", "jada.prod.toml")
    inventory.require_one_queue(made, "", "jada.prod.toml")
    with pytest.raises(CommandError, match="the stack's is us-east-1/jada-queue"):
        inventory.require_one_queue(made, "us-east-1/jada-other", "jada.prod.toml")
    with pytest.raises(CommandError, match="made no table"):
        inventory.require_one_queue(_parsed(REAL), "us-east-1/jada-queue", "jada.prod.toml")


LOCAL_TABLE = {"name": "jada-queue", "endpoint": "http://10.77.0.1:8704"}
TWO = [HOST, {**HOST, "name": "jada-second"}]


def test_hosts_over_one_table_are_let_through_and_without_the_setting_refused():
    two = _parsed({**LOCAL, "table": LOCAL_TABLE, "hosts": TWO})
    inventory.require_one_queue(two, "http://10.77.0.1:8704/jada-queue", "jada.local.toml")
    with pytest.raises(CommandError, match=r"would each have a queue.*\n.*dashboard.table in jada.local.toml"):
        inventory.require_one_queue(two, "", "jada.local.toml")


@pytest.mark.parametrize(
    ("stack", "given", "why"),
    [
        ("local", {**LOCAL, "table": TABLE}, "table, at AWS, is not on this machine"),
        ("local", {**LOCAL, "table": {**LOCAL_TABLE, "endpoint": "http://8.8.8.8:80"}}, "is not on this machine"),
        ("prod", {**REAL, "table": LOCAL_TABLE}, "its table is at http://10.77.0.1:8704"),
    ],
)
def test_a_table_of_the_other_kind_of_stack_is_refused(stack, given, why):
    with pytest.raises(CommandError, match=why):
        inventory.require_matching_cloud(stack, _parsed(given), {})


def test_real_hosts_over_one_table_are_let_through():
    two = _parsed({**REAL, "table": TABLE, "hosts": TWO})
    inventory.require_one_queue(two, "us-east-1/jada-queue", "jada.prod.toml")


@pytest.mark.parametrize("more", [{}, {"table": TABLE}])
def test_hosts_that_would_each_have_a_queue_are_refused(more):
    two = _parsed({**REAL, **more, "hosts": [HOST, {**HOST, "name": "jada-second"}]})
    with pytest.raises(CommandError, match="jada-orchestrator, jada-second would each have a queue"):
        inventory.require_one_queue(two, "", "jada.prod.toml")

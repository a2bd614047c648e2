"""Pulumi's real engine with the local provider and language host, on the real program and real hosts."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
import urllib3

from doubles.lightsail import endpoint
from local import environment, tools
from local.hosts.image import image_folder
from local.process import wait_until
from local.serve import running
from local.site import Site
from local.steps import Steps
from local.temporary import temporary_site
from tests import iam
from tests.plugins import Plugins

ROOT = Path(__file__).parents[2]
UNATTENDED = ("--yes", "--skip-preview", "--non-interactive")
INSTANCE = "urn:pulumi:prod::jada::aws:lightsail/instance:Instance::box"
PROVIDER = "urn:pulumi:prod::jada::pulumi:providers:aws::aws"


class Project:
    """The repository's program and settings in a folder of the test's own, with a state of its own."""

    def __init__(self, site: Site) -> None:
        self.site, self.folder = site, site.state / "project"
        self.folder.mkdir(parents=True)
        (site.state / environment.PULUMI_STATE).mkdir()
        program = (ROOT / "Pulumi.yaml").read_text().replace("main: infra/", f"main: {ROOT / 'infra'}")
        (self.folder / "Pulumi.yaml").write_text(program)
        for settings in ("Pulumi.local.yaml", "Pulumi.prod.yaml"):
            shutil.copy(ROOT / settings, self.folder)
        environment.record_engine(site, tools.engine(Steps(site.state / "logs")))
        self.env = {**os.environ, **environment.variables(site, os.environ["PATH"])}

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess:
        command = ["pulumi", *arguments, "--color", "never"]
        return subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )

    def stack(self, name: str) -> None:
        done = self.pulumi("stack", "select", "--create", name)
        assert done.returncode == 0, done.stderr

    def set(self, key: str, value: str) -> None:
        self.pulumi("config", "set", "--stack", "local", "--path", f"jada:{key}", value)

    def run(self, command: str, stack: str = "local") -> str:
        """Run a command that must succeed; returns what it said."""
        done = self.pulumi(command, "--stack", stack, *UNATTENDED)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, command: str, stack: str) -> str:
        """Run a command that must fail; returns what it said."""
        options = ("--non-interactive",) if command == "preview" else UNATTENDED
        done = self.pulumi(command, "--stack", stack, *options)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def door(self) -> dict:
        outputs = self.pulumi("stack", "output", "--stack", "local", "--json").stdout
        return json.loads(outputs)["inventory"]["hosts"][0]


@pytest.fixture(scope="module")
def plugins() -> Iterator[Plugins]:
    running = Plugins()
    yield running
    running.close()


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(Site(folder=tmp_path))


@contextmanager
def up(plugins: Plugins) -> Iterator[Project]:
    """Stack local, as the repository has it, up on a cloud of its own; gone afterwards, whatever happens.

    Its first `up` starts the plugins as everyone's does; what comes after finds them running.
    """
    with temporary_site() as site:
        project = Project(site)
        project.stack("local")
        with running(endpoint.create(site.state / "lightsail", image_folder(), site)) as url:
            project.set("endpoint", url)
            project.url = url
            project.client = boto3.client(
                "lightsail", "us-east-1", endpoint_url=url, aws_access_key_id="local", aws_secret_access_key="local"
            )
            project.run("up")
            project.env |= plugins.env
            yield project


@pytest.fixture
def local(plugins) -> Iterator[Project]:
    """A stack of the test's own: for what destroys it, or looks at all that was ever asked."""
    with up(plugins) as project:
        yield project


@pytest.fixture(scope="module")
def kept(plugins) -> Iterator[Project]:
    """A stack that several tests change, each another of its settings; each leaves it up, as its settings say."""
    with up(plugins) as project:
        yield project


def operations(project: Project) -> list[str]:
    """All changes ever made in the cloud, oldest first."""
    return [one["operationType"] for one in reversed(project.client.get_operations()["operations"])]


def asked(project: Project) -> list[dict]:
    """Every call that the double got, with the tags that IAM would look at."""
    return urllib3.request("GET", f"{project.url}/_local/calls").json()


def open_ports(project: Project) -> dict[int, list[str]]:
    states = project.client.get_instance_port_states(instanceName="jada-orchestrator")["portStates"]
    return {state["fromPort"]: state["cidrs"] for state in states}


def test_the_settings_in_the_repository_make_a_preview_without_a_cloud_and_stay_as_they_are(project):
    project.stack("local")
    assert "+ 6 to create" in project.pulumi("preview", "--stack", "local", "--non-interactive").stdout
    for name in ("Pulumi.local.yaml", "Pulumi.prod.yaml"):
        assert (project.folder / name).read_bytes() == (ROOT / name).read_bytes()


def test_a_wrong_setting_is_shown_by_its_name_without_a_traceback(project):
    project.stack("local")
    project.set("regoin", "us-east-1")
    told = project.refused("preview", "local")
    assert "error: jada:regoin: there is no such setting; the settings are region, " in told
    assert "unhandled" not in told
    assert "Traceback" not in told


def test_a_cloud_that_does_not_run_is_named_with_its_cure(project):
    project.stack("local")
    project.set("endpoint", "http://127.0.0.1:1")
    assert "the local cloud does not run; `make demo` starts it" in project.refused("up", "local")


def test_a_shell_of_another_folder_is_refused_in_a_line_before_anything_is_made(project):
    project.stack("local")
    project.env["JADA_PROJECT"] = "/another checkout"
    told = project.refused("up", "local")
    assert (
        f"error: this shell acts on the local cloud of /another checkout, and this is {project.folder}: `cd '" in told
    )
    assert "Traceback" not in told
    state = json.loads(project.pulumi("stack", "export", "--stack", "local").stdout)["deployment"]
    assert [resource["type"] for resource in state["resources"]] == ["pulumi:pulumi:Stack"]


def test_the_language_host_refuses_a_real_stack_before_its_program_runs(project):
    project.stack("prod")
    told = project.refused("up", "prod")
    assert "pulumi-language-python of the local cloud serves only stack 'local', and this is 'prod'" in told


@pytest.mark.parametrize(("command", "endpoint"), [("destroy", None), ("refresh", "http://127.0.0.1:1")])
def test_the_provider_refuses_a_real_stack_and_leaves_its_state_alone(project, command, endpoint, tmp_path):
    project.stack("prod")
    (tmp_path / "state.json").write_text(json.dumps(a_real_state(endpoint)))
    project.pulumi("stack", "import", "--stack", "prod", "--file", str(tmp_path / "state.json"))
    told = project.refused(command, "prod")
    assert "pulumi-resource-aws of the local cloud serves only stack 'local', and this is 'prod'" in told
    kept = json.loads(project.pulumi("stack", "export", "--stack", "prod").stdout)["deployment"]["resources"]
    assert [resource["urn"] for resource in kept] == [PROVIDER, INSTANCE]


def a_real_state(endpoint: str | None) -> dict:
    """What a stack's state holds after an `up`: a provider, and a host made through it."""
    config = {"region": "us-east-1"} | ({"endpoints": json.dumps([{"lightsail": endpoint}])} if endpoint else {})
    provider = {"urn": PROVIDER, "custom": True, "id": "1", "type": "pulumi:providers:aws"}
    instance = {"urn": INSTANCE, "custom": True, "id": "box", "type": "aws:lightsail/instance:Instance"}
    resources = [
        {**provider, "inputs": config, "outputs": config},
        {**instance, "inputs": {"name": "box"}, "outputs": {"name": "box"}, "provider": f"{PROVIDER}::1"},
    ]
    return {"version": 3, "deployment": {"manifest": {}, "resources": resources}}


@pytest.mark.root
def test_a_second_up_changes_nothing_and_an_edited_firewall_is_one_put(kept):
    before = operations(kept)
    assert "6 unchanged" in kept.run("up")
    assert operations(kept) == before
    kept.set("operator-cidrs[1]", "10.79.0.0/16")
    kept.run("up")
    assert operations(kept)[len(before) :] == ["PutInstancePublicPorts"]
    assert open_ports(kept) == {22: ["10.77.255.1/32", "10.79.0.0/16"]}


@pytest.mark.root
def test_another_plan_replaces_the_host_which_keeps_its_address_and_its_door(kept):
    address, doors = kept.door()["address"], open_ports(kept)
    assert doors[22][0] == "10.77.255.1/32"
    kept.set("bundle", "small_3_0")
    assert "replaced" in kept.run("up")
    host = kept.client.get_instance(instanceName="jada-orchestrator")["instance"]
    assert (host["bundleId"], host["publicIpAddress"], host["isStaticIp"]) == ("small_3_0", address, True)
    assert open_ports(kept) == doors


def daily(kept) -> list[str]:
    add_ons = kept.client.get_instance(instanceName="jada-orchestrator")["instance"]["addOns"]
    return [add_on["snapshotTimeOfDay"] for add_on in add_ons]


@pytest.mark.root
def test_automatic_snapshots_are_a_setting_that_is_changed_in_place(kept):
    assert daily(kept) == []
    created = kept.client.get_instance(instanceName="jada-orchestrator")["instance"]["createdAt"]
    kept.set("snapshot-time", "05:00")
    assert "1 updated" in kept.run("up")
    assert daily(kept) == ["05:00"]
    kept.run("refresh")
    assert "6 unchanged" in kept.run("up")
    kept.set("snapshot-time", "07:00")
    kept.run("up")
    assert daily(kept) == ["07:00"]
    kept.set("snapshot-time", "none")
    kept.run("up")
    assert daily(kept) == []
    assert kept.client.get_instance(instanceName="jada-orchestrator")["instance"]["createdAt"] == created


@pytest.mark.root
def test_a_port_opened_by_hand_is_found_by_refresh_and_closed_by_up(kept):
    kept.client.open_instance_public_ports(
        instanceName="jada-orchestrator", portInfo={"fromPort": 443, "toPort": 443, "protocol": "tcp"}
    )
    kept.run("refresh")
    kept.run("up")
    assert open_ports(kept).keys() == {22}


@pytest.mark.root
def test_a_host_deleted_by_hand_is_found_by_refresh_and_made_again_and_destroy_leaves_nothing(local):
    local.client.delete_instance(instanceName="jada-orchestrator", forceDeleteAddOns=True)
    assert wait_until(lambda: not local.client.get_instances()["instances"], 30)
    local.run("refresh")
    local.run("up")
    assert open_ports(local).keys() == {22}
    local.run("destroy")
    assert local.client.get_instances()["instances"] == local.client.get_static_ips()["staticIps"] == []


@pytest.mark.root
def test_what_the_engine_asks_for_is_what_the_operators_policy_allows_for_this_stack_only(local):
    local.set("operator-cidrs[1]", "10.79.0.0/16")
    local.set("tags.owner", "front desk")
    local.run("up")
    local.pulumi("config", "rm", "--stack", "local", "--path", "jada:tags.owner")
    local.run("up")
    local.run("refresh")
    local.run("destroy")
    calls = asked(local)
    assert {"CreateInstances", "TagResource", "UntagResource", "PutInstancePublicPorts", "DeleteInstance"} <= {
        call["action"] for call in calls
    }
    assert iam.refused("operator", calls) == []
    assert set(iam.refused("operator", calls, stack="prod")) == {
        "CreateInstances", "TagResource", "UntagResource", "PutInstancePublicPorts", "DeleteInstance",
    }  # fmt: skip

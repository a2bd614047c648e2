"""The shell of the local cloud reaches the local cloud alone."""

import os
import subprocess
import tomllib

import pytest

from dashboard import settings as dashboard
from local import environment
from local.site import Site
from local.steps import StepFailed


def variables():
    return environment.variables(Site(), "/usr/bin")


def test_our_tools_come_before_the_machines():
    assert variables()["PATH"].split(":")[-1] == "/usr/bin"
    assert variables()["PATH"].startswith(str(environment.SHIMS))


def test_nothing_of_it_can_reach_a_real_account():
    assert variables()["AWS_ACCESS_KEY_ID"] == variables()["AWS_SECRET_ACCESS_KEY"] == "local"
    assert variables()["AWS_ENDPOINT_URL_LIGHTSAIL"] == "http://10.77.0.1:8700"
    assert variables()["PULUMI_BACKEND_URL"].startswith("file:///")


@pytest.mark.process
def test_a_shell_reads_what_is_printed():
    lines = environment.exports({"ODD": "it's; $HOME"})
    shown = subprocess.run(["sh", "-c", f'{lines}printf %s "$ODD"'], capture_output=True, text=True, check=True).stdout
    assert shown == "it's; $HOME"


def test_the_usual_site_acts_in_the_work_tree():
    assert environment.project(Site("other")) == environment.ROOT
    assert variables()["JADA_PROJECT"] == str(environment.ROOT)


def test_another_octet_acts_in_a_folder_that_differs_from_the_work_tree_only_in_its_addresses(tmp_path):
    site = Site("other", 90, tmp_path)
    for _ in range(2):
        environment.make_project(site)
    folder = environment.project(site)
    assert environment.variables(site, "/usr/bin")["JADA_PROJECT"] == str(folder)
    for name in ("Pulumi.local.yaml", "jada.local.toml"):
        text = (folder / name).read_text()
        assert "10.77." not in text
        assert text.replace("10.90.", "10.77.") == (environment.ROOT / name).read_text()
    assert (folder / "provision").samefile(environment.ROOT / "provision")
    assert not (folder / ".git").exists()


def test_the_cloud_is_called_without_a_proxy():
    values = environment.variables(Site(), "/usr/bin", "corp.example")
    assert values["no_proxy"] == values["NO_PROXY"] == "corp.example,localhost,127.0.0.1,10.77.0.1"


def pulumi(site, *words):
    """Run `pulumi` in a shell of the site's."""
    env = {**os.environ, **environment.variables(site, os.environ["PATH"])}
    return subprocess.run(["pulumi", *words], env=env, capture_output=True, text=True, check=False)


@pytest.mark.process
def test_a_shell_uses_the_engine_of_the_demo_that_is_up(tmp_path):
    site, engine = Site("jada", 77, tmp_path), tmp_path / "some where"
    engine.mkdir()
    (engine / "pulumi").write_text('#!/bin/sh\nprintf "%s," "$@"\n')
    (engine / "pulumi").chmod(0o755)
    environment.record_engine(site, engine)
    environment.require_demo(site, {})
    assert pulumi(site, "stack", "a b").stdout == "stack,a b,"


@pytest.mark.process
def test_a_shell_that_outlives_its_cloud_makes_nothing_where_that_was(tmp_path):
    gone = pulumi(Site("jada", 77, tmp_path / "gone"), "stack", "ls")
    said = "jada: the demo that this shell was for is not up: `make demo` makes one\n"
    assert (gone.returncode, gone.stdout, gone.stderr) == (1, "", said)
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(("command", "cure"), [("make env", "`make demo`"), ("sudo make env", "`sudo make demo`")])
def test_without_a_demo_the_refusal_names_the_command_that_makes_one(tmp_path, command, cure):
    with pytest.raises(StepFailed, match=f"no demo is up: {cure} makes one"):
        environment.require_demo(Site("jada", 77, tmp_path), {"JADA_TYPED": command})


def test_a_moved_checkout_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "made-for").write_text("/elsewhere\n")
    monkeypatch.setattr(environment, "_MADE_FOR", tmp_path / "made-for")
    with pytest.raises(StepFailed, match="moved here from /elsewhere: `make tools` mends it"):
        environment.require_demo(Site(), {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that another user can't read")
def test_another_user_is_refused_in_a_line(passable, monkeypatch):
    # In a checkout below root's own folder that user could not even look.
    monkeypatch.setattr(environment, "_MADE_FOR", passable / "made-for")
    state = passable / "state"
    state.mkdir(mode=0o700)
    (state / "engine").touch()
    os.seteuid(65534)
    try:
        with pytest.raises(StepFailed, match=r"made for another user \(id 0\)"):
            environment.require_demo(Site("jada", 77, state), {})
    finally:
        os.seteuid(0)


def test_several_hosts_have_a_folder_of_their_own_whose_settings_name_them_and_their_table(tmp_path):
    site = Site("other", 77, tmp_path)
    environment.make_project(site, names=("jada-1", "jada-2"))
    folder = environment.project(site)
    assert folder != environment.ROOT
    lines = (folder / "Pulumi.local.yaml").read_text().splitlines()
    assert {'  jada:hosts: ["jada-1", "jada-2"]', "  jada:table: jada-queue"} <= set(lines)
    read = dashboard.read(tomllib.loads((folder / "jada.local.toml").read_text())["dashboard"])
    assert (read.table, read.lease_s) == ("http://10.77.0.1:8704/jada-queue", environment.LEASE_S)

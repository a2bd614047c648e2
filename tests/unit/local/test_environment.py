"""The shell of the local cloud reaches the local cloud alone."""

import subprocess
from pathlib import Path

from local import environment
from local.site import Site


def variables():
    return environment.variables(Site(), Path("/engine"), "/usr/bin")


def test_our_tools_come_before_the_machines():
    assert variables()["PATH"].split(":")[-2:] == ["/engine", "/usr/bin"]
    assert variables()["PATH"].startswith(str(environment.SHIMS))


def test_nothing_of_it_can_reach_a_real_account():
    assert variables()["AWS_ACCESS_KEY_ID"] == variables()["AWS_SECRET_ACCESS_KEY"] == "local"
    assert variables()["AWS_ENDPOINT_URL_LIGHTSAIL"] == "http://10.77.0.1:8700"
    assert variables()["PULUMI_BACKEND_URL"].startswith("file:///")


def test_a_shell_reads_what_is_printed():
    lines = environment.exports({"ODD": "it's; $HOME"})
    shown = subprocess.run(["sh", "-c", f'{lines}printf %s "$ODD"'], capture_output=True, text=True, check=True).stdout
    assert shown == "it's; $HOME"


def test_the_usual_site_acts_in_the_work_tree():
    assert environment.project(Site("other")) == environment.ROOT


def test_another_octet_acts_in_a_folder_that_differs_from_the_work_tree_only_in_its_addresses(tmp_path):
    site = Site("other", 90, tmp_path)
    for _ in range(2):
        environment.make_project(site)
    folder = environment.project(site)
    for name in ("Pulumi.local.yaml", "jada.local.toml"):
        text = (folder / name).read_text()
        assert "10.77." not in text
        assert text.replace("10.90.", "10.77.") == (environment.ROOT / name).read_text()
    assert (folder / "provision").samefile(environment.ROOT / "provision")
    assert not (folder / ".git").exists()

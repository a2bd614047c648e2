"""Every double as a program belongs to the site that its command line says."""

import json
import subprocess
import sys
import urllib.request

import pytest


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "octet"), [("lightsail", "81"), ("claude", "82"), ("google", "83"), ("bookings", "84")]
)
def test_a_double_answers_for_the_site_it_was_started_for(name, octet, tmp_path):
    (tmp_path / "image" / "etc").mkdir(parents=True)
    more = ["--image", str(tmp_path / "image")] if name == "lightsail" else []
    command = [sys.executable, "-m", f"doubles.{name}", "--port", "0", "--state", str(tmp_path / "state"), *more]
    site = f"site{octet}"
    with subprocess.Popen([*command, "--site", site, "--octet", octet], stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        try:
            with urllib.request.urlopen(f"{url}/_local/health") as answer:
                assert json.load(answer) == {"name": name, "site": site, "network": f"10.{octet}.0.0/16"}
        finally:
            process.terminate()
    assert process.returncode == 0

"""What the dashboard leaves out of its process; each in a process of its own, for modules once imported stay."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process


def said(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_a_server_without_its_command_line_is_whole_once_it_is_asked_for():
    program = """
import sys
from dashboard import server
server.config(lambda scope: None).load()
print("click" in sys.modules, "uvicorn.main" in sys.modules)
import uvicorn
print(uvicorn.run.__name__, uvicorn.Config is server.uvicorn.config.Config, "click" in sys.modules)
"""
    assert said(program) == ["False", "False", "run", "True", "True"]


def test_all_templates_come_compiled_from_a_child_and_none_is_compiled_here():
    program = """
import sys
from dashboard import templating
compiled = templating.compiled_apart()
compiled.dump_bytecode = lambda bucket: sys.exit(f"compiled here: {bucket.key}")
templates = templating.environment(compiled)
for name in templates.list_templates(extensions=["html"]):
    templates.get_template(name)
print(len(compiled.code), len(templates.list_templates(extensions=["html"])))
"""
    compiled, there_are = said(program)
    assert compiled == there_are


def test_without_a_child_templates_are_compiled_as_they_are_asked_for():
    program = """
import os
from dashboard import templating
def fork(): raise BlockingIOError(11, "no process left")
os.fork = fork
compiled = templating.compiled_apart()
print(len(compiled.code), templating.environment(compiled).get_template("sign_in.html").name, len(compiled.code) > 0)
"""
    assert said(program) == ["0", "sign_in.html", "True"]

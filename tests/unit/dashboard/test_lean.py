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


def test_the_dashboard_has_no_openssl_and_what_calls_a_table_later_has_it_whole():
    program = """
import sys
import dashboard.__main__
held_back = {"ssl", "_ssl", "_hashlib", "importlib.metadata", "zipfile", "csv"}
print(sorted(held_back & set(sys.modules)))
import hashlib
print(hashlib.sha256(b"abc").hexdigest()[:8])
from botocore.httpsession import URLLib3Session
URLLib3Session()
import importlib.metadata, ssl, ulid, uvicorn.config
print(ssl.create_default_context().verify_mode.name, importlib.metadata.version("python-ulid") == ulid.__version__)
print(uvicorn.config.SSL_PROTOCOL_VERSION == ssl.PROTOCOL_TLS_SERVER, ssl.CERT_NONE == 0)
"""
    assert said(program) == ["[]", "ba7816bf", "CERT_REQUIRED", "True", "True", "True"]


def test_a_module_that_is_held_back_is_whole_again_outside_and_stays_what_it_is_where_it_was_imported():
    program = """
import json, sys
from dashboard.lean import absent, reduced
with absent("csv"):
    try:
        import csv
    except ImportError:
        print("absent")
with reduced("csv", reader="ours"):
    import csv
    print(csv.reader, hasattr(csv, "writer"))
try:
    with absent("csv"):
        raise ValueError
except ValueError:
    import csv
    print(csv.writer.__name__)
with absent("json"), reduced("csv", reader="ours"):
    import json, csv
    print(json.dumps(1), csv.reader.__name__)
"""
    assert said(program) == ["absent", "ours", "False", "writer", "1", "reader"]

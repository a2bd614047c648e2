"""What `fab doctor` says of settings that are wrong, a stack's or this machine's: a row with a cure, no traceback."""

import json
import os
from contextlib import ExitStack

import pytest

from provision.commands.diagnosis import NotChecked
from provision.commands.examination import NO_BOX, Examination
from provision.errors import CommandError

ENGINE = """#!/bin/sh
case "$1" in
    stack) echo '{"deployment": {"resources": []}}' ;;
    config) cat "$(dirname "$0")/config" ;;
esac
"""


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """`seen(stack, **settings)`: a stack of which nothing was made yet, with its state read."""
    (tmp_path / "pulumi").write_text(ENGINE)
    (tmp_path / "pulumi").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with ExitStack() as open_things:

        def read(stack, **settings):
            # As Pulumi says a list: as an object and as its text; what is only a text has no object.
            told = {
                f"jada:{name.replace('_', '-')}": {"value": value}
                if isinstance(value, str)
                else {"value": json.dumps(value), "objectValue": value}
                for name, value in settings.items()
            }
            (tmp_path / "config").write_text(json.dumps(told))
            found = Examination(stack, None, {"PATH": os.environ["PATH"]}, open_things, tmp_path)
            found.state()
            return found

        yield read


@pytest.mark.process
@pytest.mark.parametrize(
    ("cidrs", "said"),
    [
        (["8.8.8.8/24"], "'8.8.8.8/24' is no network address: 8.8.8.8/24 has host bits set"),
        (["my-ip"], "'my-ip' is no network address"),
        ([8], "must be a list of texts"),
        ("8.8.8.8/32", "must be a list of texts, not '8.8.8.8/32'"),
        ('"8.8.8.8/32"', "must be a list of texts"),
    ],
)
def test_addresses_that_are_none_are_a_fault_with_a_cure(seen, cidrs, said):
    with pytest.raises(CommandError) as refused:
        seen("prod", operator_cidrs=cidrs).address()
    assert refused.value.cause.startswith(f"jada:operator-cidrs: {said}")
    assert "203.0.113.0/24" in refused.value.cure


@pytest.mark.process
@pytest.mark.parametrize("cidrs", [["198.18.0.0/15"], '["198.18.0.0/15"]'])
def test_a_list_that_was_set_as_a_text_is_the_list_that_pulumi_up_takes(seen, cidrs):
    with pytest.raises(NotChecked, match=NO_BOX):
        seen("local", operator_cidrs=cidrs).address()


@pytest.mark.process
@pytest.mark.parametrize(
    ("profile", "region", "said"),
    [("nosuch", "eu-west-1", r"profile \(nosuch\) could not be found"), (None, "eu west 1", "eu west 1")],
)
def test_a_machine_whose_aws_settings_are_wrong_is_at_fault(seen, tmp_path, monkeypatch, profile, region, said):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(CommandError, match=said) as refused:
        seen("prod", region=region).identity()
    assert "AWS_PROFILE" in refused.value.cure

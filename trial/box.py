"""The trial's box: a stack with files and a state of its own, made by Pulumi and removed without a trace."""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from trial.offer import TrialRefused
from trial.transcript import CommandEnded, Transcript

ROOT = Path.cwd()
"""The project's folder, in which `make` starts this; the local cloud of another octet has one of its own."""
LOCAL = "local"
"""The stack of a rehearsal: Pulumi's shims serve no other, and its settings are the repository's own."""
CLEARINGS = 24
"""How often what is left is looked for; Lightsail takes up to a minute to make or to delete a box."""
Left = tuple[str, Callable[..., object], Mapping[str, str]]
"""What is still there: its name, the call that deletes it, and that call's arguments."""


@dataclass(frozen=True, slots=True)
class Box:
    """A host, and the stack it is the only one of. `folder` keeps Pulumi's state until all is gone."""

    host: str
    region: str
    folder: Path
    rehearsal: bool

    @property
    def stack(self) -> str:
        """The stack's name: the host's, but for a rehearsal."""
        return LOCAL if self.rehearsal else self.host

    @property
    def settings(self) -> Path:
        """The settings file that is deployed."""
        return ROOT / f"jada.{self.stack}.toml"

    @property
    def configuration(self) -> Path:
        """Pulumi's file of the stack; a rehearsal's is beside its state: the repository has one of that name."""
        return (self.folder if self.rehearsal else ROOT) / f"Pulumi.{self.stack}.yaml"

    @property
    def env(self) -> dict[str, str]:
        """The environment of `pulumi` and `fab`: this stack, and a state of its own, which guards no secret."""
        return {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "JADA_STACK": self.stack,
            "PULUMI_BACKEND_URL": f"file://{self._state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def write_files(self, settings: Path, bundle: str, cidrs: Sequence[str]) -> None:
        """Write both files of the stack; a rehearsal is configured as the local stack is, but for its host."""
        self._state.mkdir(parents=True, exist_ok=True)
        (self._state / "region").write_text(self.region, encoding="utf-8")
        text = configuration(self.region, self.host, bundle, cidrs)
        if self.rehearsal:
            text = with_host((ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8"), self.host)
        else:
            self._write(self.settings, settings.read_text(encoding="utf-8"))
        self._write(self.configuration, text)

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    def _write(self, path: Path, text: str) -> None:
        # "x": a file of the operator's own that has the name is never overwritten.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)

    def make(self, transcript: Transcript) -> None:
        """Make the box."""
        self._pulumi(transcript, "stack", "init", self.stack)
        self._pulumi(transcript, "up", *self._unattended())

    def fab(self, transcript: Transcript, task: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run one of our own commands on the box."""
        command = ["fab", task, "--stack", self.stack, *arguments]
        return transcript.run(command, ROOT, {**self.env, **(env or {})})

    def remove(self, transcript: Transcript) -> None:
        """Destroy what was made, ask the account whether it is gone, and only then forget its state and its files.

        Raises `CommandEnded`; then all stays that a second try needs.
        """
        if (self._state / ".pulumi" / "stacks" / "jada" / f"{self.stack}.json").exists():
            self._pulumi(transcript, "cancel", "--yes", self.stack)
            self._pulumi(transcript, "state", "unprotect", "--all", "--yes", "--stack", self.stack)
            # With refresh: an interrupted `up` may have made more than its state says.
            self._pulumi(transcript, "destroy", "--refresh", *self._unattended())
        clear(boto3.client("lightsail", region_name=self.region), self.host, transcript.say)
        shutil.rmtree(self._state, ignore_errors=True)
        self.configuration.unlink(missing_ok=True)
        if not self.rehearsal:
            self.settings.unlink(missing_ok=True)

    def _pulumi(self, transcript: Transcript, *arguments: str) -> str:
        return transcript.run(["pulumi", *arguments, "--non-interactive", "--color", "never"], ROOT, self.env)

    def _unattended(self) -> tuple[str, ...]:
        return ("--yes", "--skip-preview", "--stack", self.stack, "--config-file", str(self.configuration))


def left_behind(host: str, folder: Path, *, rehearsal: bool) -> Box:
    """Return the box of a trial that was cut off; raises `TrialRefused` where nothing is known of it."""
    noted = folder / "state" / "region"
    if not noted.is_file():
        raise TrialRefused(f"nothing is known of {host}: there is no {noted}")
    return Box(host, noted.read_text(encoding="utf-8"), folder, rehearsal)


def configuration(region: str, host: str, bundle: str, cidrs: Sequence[str]) -> str:
    """Return the stack's configuration; JSON is YAML."""
    settings = {"region": region, "bundle": bundle, "hosts": [host], "operator-cidrs": list(cidrs)}
    return json.dumps({"config": {f"jada:{key}": value for key, value in settings.items()}}, indent=1) + "\n"


def with_host(text: str, host: str) -> str:
    """Return a stack's configuration with this one host in it."""
    return text.replace("config:\n", f"config:\n  jada:hosts: [{host}]\n", 1)


def clear(lightsail: Any, host: str, say: Callable[[str], None], pause_s: float = 5) -> None:
    """Ask Lightsail for the box and its address until it knows neither, deleting what is there.

    An engine that was killed has ordered what no state of Pulumi's knows. Raises `CommandEnded` with what stays.
    """
    for _ in range(CLEARINGS):
        if not (left := remains(lightsail, host)):
            return
        for name, delete, arguments in left:
            say(f"still there, in no state: {name}")
            # Refused while the box is being made or deleted: then the next round finds it.
            with contextlib.suppress(ClientError):
                delete(**arguments)
        time.sleep(pause_s)
    raise CommandEnded(f"the account still has {' and '.join(name for name, *_ in left)}")


def remains(lightsail: Any, host: str) -> list[Left]:
    """Ask Lightsail for the box and its address; return what it still knows, and the call that deletes it."""
    box, address = {"instanceName": host}, {"staticIpName": f"{host}-ip"}
    asked = (
        (lightsail.get_instance, (f"the box {host}", lightsail.delete_instance, box)),
        (lightsail.get_static_ip, (f"the address {host}-ip", lightsail.release_static_ip, address)),
    )
    return [left for call, left in asked if _exists(call, left[2])]


def _exists(call: Callable[..., object], arguments: Mapping[str, str]) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NotFoundException", "DoesNotExist"}:
            return False
        raise
    return True

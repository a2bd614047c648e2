"""`fab verify`, the proof: tests/host run by pytest against each host, over one login of OpenSSH."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands import admission, fleet
from provision.commands.options import EACH_HOST, require_place, task
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import firewall
from provision.reach.access import Access
from provision.reach.connection import connected
from provision.reach.door import is_held
from provision.reach.keyfiles import KeyFiles, materialised
from provision.release.wheels import cache
from provision.target import Target, load_target

JUNIT = "write the checks of all hosts to a file, as JUnit XML for a CI"
NO_ANSWER = 255
"""ssh's exit code for an error of its own."""
COMES_BACK = "`fab deploy` brings"
"""What a failed check says that a deploy puts right."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks of one host came to: how many, how many failed, how many of those a deploy puts right."""

    checks: int
    failed: int
    come_back: int
    suite: ET.Element


@task(help={**EACH_HOST, "junit": JUNIT}, example="fab verify --stack prod --junit verify.xml")
def verify(_context: Context, stack: str | None = None, host: str | None = None, junit: str | None = None) -> None:
    """Prove that hosts are as deployed: the table that `fab plan` reads, in full, and what runs; changes nothing.

    Each failed check says what helps. What `fab deploy` does not bring back says so, too.
    """
    require_place("--junit", junit)
    progress = Progress(aside=True)
    target = load_target(stack)
    names = [each.name for each in target.hosts(host)]
    only_one = len(names) == 1
    asked = fleet.on_each(names, lambda name: target.access(name, fleet.progress_of(name, names, progress)))
    with ExitStack() as stack_of_keys:
        # Here, and not beside: only the main thread hears of a signal, and removes the files then.
        given: dict[str, Access] = {each.host: each.value for each in asked if each.value}
        keys = {name: stack_of_keys.enter_context(materialised(access)) for name, access in given.items()}
        ran = fleet.on_each([*given], lambda name: _verify(target, given[name], keys[name], quiet=not only_one))
    ended = {each.host: each for each in (*asked, *ran)}
    outcomes = [ended[name] for name in names]
    if junit:
        write_junit(Path(junit), [outcome.value.suite for outcome in outcomes if outcome.value])
    if only_one:
        fleet.require_all(outcomes)
    for line in fleet.table(outcomes, word):
        sys.stdout.write(f"{line}\n")
    if not all(outcome.value and not outcome.value.failed for outcome in outcomes):
        raise Exit(code=1)


def word(verdict: Verdict) -> str:
    """Say a verdict."""
    if not verdict.failed:
        return f"verified: {verdict.checks} checks"
    by_hand = verdict.failed - verdict.come_back
    helps = [
        *([f"{verdict.come_back} come back with `fab deploy`"] if verdict.come_back else []),
        *([f"{by_hand} need what their lines say"] if by_hand else []),
    ]
    return f"{verdict.failed} of {verdict.checks} checks failed: {', '.join(helps)}"


def _verify(target: Target, access: Access, keys: KeyFiles, *, quiet: bool) -> Verdict:
    log_in(keys, access, target.source.settings.connect_s)
    try:
        wall = firewall.Firewall(target.lightsail(), keys.name, time.sleep)
        allowed, doors = admission.operator_cidrs(target.inventory), cache() / admission.HELD
        more = firewall_cases(wall.state(), allowed, lambda cidr: is_held(doors, keys.name, cidr))
        return run(keys, target.source.root, target.source.packages, [*more], quiet=quiet)
    finally:
        # Otherwise the connection would outlive the key files.
        subprocess.run(keys.ssh("-O", "exit", "{host}"), capture_output=True, check=False)


def log_in(keys: KeyFiles, access: Access, timeout_s: float) -> None:
    """Open the one connection that all checks share; raises `CommandError` with what stands against it."""
    # ControlPersist: longer than the checks take; the connection is closed at their end.
    shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=600", "-o", f"ConnectTimeout={timeout_s:g}"]
    done = subprocess.run(keys.ssh(*shared, "{host}", "true"), capture_output=True, text=True, check=False)
    if done.returncode == NO_ANSWER:
        # The same login by the other client tells a changed host key from a wrong clock, and says what helps.
        with connected(access, timeout_s):
            raise CommandError(f"ssh can't log in to {keys.name}: {done.stderr.strip()[-300:]}", "run it again")


def pytest_command(keys: KeyFiles, extra: Sequence[str] = ()) -> list[str]:
    """Return the pytest command: OpenSSH as the backend, because testinfra's paramiko takes any host key."""
    return [
        *(sys.executable, "-m", "pytest", "tests/host", "--quiet", "-p", "no:cacheprovider"),
        # Of the plugins that are installed only these: loading a developer's others takes longer than most checks.
        *("--disable-plugin-autoload", "-p", "testinfra.plugin", "-p", "pytest_timeout"),
        *(f"--hosts=ssh://{keys.name}", f"--ssh-config={keys.config}", "--sudo", *extra),
    ]


def run(
    keys: KeyFiles, root: Path, packages: Sequence[str] = (), more: Sequence[ET.Element] = (), *, quiet: bool = False
) -> Verdict:
    """Run the checks, all of them read-only, and say those that were made already, `more`.

    Raises `CommandError` where they can't be run.
    """
    with tempfile.TemporaryDirectory(prefix="jada-verify-") as folder:
        report = Path(folder, "junit.xml")
        extra = [f"--junitxml={report}", *(f"--package={name}" for name in packages)]
        done = subprocess.run(pytest_command(keys, extra), cwd=root, check=False, capture_output=quiet, text=True)
        if done.returncode not in (0, 1) or not report.exists():
            said = f": {done.stdout[-500:]}" if quiet else ""
            raise CommandError(
                f"the checks of {keys.name} could not be run (pytest {done.returncode}){said}", "see above"
            )
        verdict = read_report(report.read_text(encoding="utf-8"), keys.name, more)
    shown = verdict.suite if quiet else more
    if verdict.failed:
        for line in failures(shown):
            sys.stdout.write(f"{keys.name}: {line}\n")
    return verdict


def firewall_cases(state: firewall.State, allowed: Sequence[str], held: Callable[[str], bool]) -> Iterator[ET.Element]:
    """Yield the checks of what Lightsail lets in, which a host can't see; an address that a command holds is let be."""
    strays = [cidr for cidr in firewall.strays(state, allowed) if not held(cidr)]
    findings = {
        "ssh_is_open_to_operators_only": (strays, "left open, not in operator-cidrs", "`fab door --out` takes it out"),
        "ssh_is_open_to_each_operator": (
            firewall.absent(state, allowed), "closed to an operator's address", "`pulumi up --refresh` opens it"
        ),
        "no_other_port_is_open": (firewall.others(state), "open besides", "`pulumi up --refresh` closes it"),
    }  # fmt: skip
    for name, (wrong, what, cure) in findings.items():
        case = ET.Element("testcase", classname="firewall", name=name)
        if wrong:
            ET.SubElement(case, "failure", message=f"{what}: {', '.join(wrong)}; {cure}")
        yield case


def read_report(text: str, name: str, more: Iterable[ET.Element] = ()) -> Verdict:
    """Read pytest's report of one host, whose suite gets the host's name and `more` checks."""
    suite = next(ET.fromstring(text).iter("testsuite"))  # noqa: S314 - pytest wrote it just now
    suite.set("name", name)
    suite.extend(more)
    cases = [*suite.iter("testcase")]
    broken = [case for case in cases if _why(case) is not None]
    # What was not made on this host proves nothing.
    made = [case for case in cases if case.find("skipped") is None]
    come_back = sum(COMES_BACK in (_why(case) or "") for case in broken)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(len(broken) - int(suite.get("errors", "0"))))
    return Verdict(len(made), len(broken), come_back, suite)


def failures(cases: Iterable[ET.Element]) -> Iterator[str]:
    """Say each failed check in a line."""
    for case in cases:
        why = _why(case)
        if why is not None:
            yield f"{case.get('name')}: {why.splitlines()[0] if why else ''}"


def _why(case: ET.Element) -> str | None:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            return found.get("message") or found.text or ""
    return None


def write_junit(path: Path, suites: Sequence[ET.Element]) -> None:
    """Write the suites of all hosts into one file."""
    root = ET.Element("testsuites")
    root.extend(suites)
    try:
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}", "give --junit another file") from error

import json
from dataclasses import asdict, replace

import pytest

from provision import desired
from provision.desired import system_files
from provision.errors import CommandError
from provision.onhost.looks import LOOKS
from provision.onhost.repairs import REPAIRS
from provision.onhost.surroundings import SURROUNDINGS
from provision.release import plan
from provision.release.bundle import FILES
from provision.system.secrets import SECRETS
from provision.system.units import SERVICES
from wire.values import Invalid

AGENT, DASHBOARD = "jada-agent.service", "jada-dashboard.service"


def _with_unit(probed, unit, **state):
    return replace(probed, units={**probed.units, unit: {**probed.units[unit], **state}})


def _with_change(bundle, changed, parts):
    return replace(bundle, id="release2", units={**bundle.units, changed: {**bundle.units[changed], **parts}})


def _names(made, repair):
    return [each.row.name for each in made.repairs if each.row.repair == repair]


def test_the_probe_looks_at_everything_that_a_plan_may_change(fresh, bundle):
    asked, made = plan.probe_request(), plan.make(fresh, bundle, 3)
    for row in (difference.row for difference in made.differing):
        assert row.name in asked["as_found" if row.as_found else "looks"][row.look]
    assert set(asked["units"]) == set(fresh.units)


def test_what_the_probe_says_is_read_whole(worker):
    assert plan.read_probe(json.loads(json.dumps(asdict(worker)))) == worker


def test_an_answer_that_no_probe_gives_is_refused_where_it_is_wrong(worker):
    with pytest.raises(Invalid) as refused:
        plan.read_probe({**asdict(worker), "found": []})
    assert refused.value.field == "probe.found"


def test_a_fresh_host_gets_everything(fresh, bundle):
    made = plan.make(fresh, bundle, 3)
    assert _names(made, "install") == ["bubblewrap", "cron", "unattended-upgrades"]
    assert _names(made, "write") == [file.path for file in system_files()]
    assert (made.make_venv, made.upload, made.switch) == (True, True, True)
    assert _names(made, "link") == [*desired.LINKS]
    assert dict(made.restart) == dict.fromkeys(SERVICES, "it is inactive")


def test_a_host_as_it_should_be_gets_nothing(worker, bundle):
    made = plan.make(worker, bundle, 3)
    assert made.nothing
    assert list(plan.lines(made)) == ["nothing to do: release release1 is current and runs"]


def test_an_unknown_system_is_refused(fresh, bundle):
    with pytest.raises(CommandError, match="amzn_2023"):
        plan.make(replace(fresh, os="amzn_2023"), bundle, 3)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"code": "code-2"}, "new code"),
        ({"settings": "x", "unit": "y"}, "new settings and unit"),
    ],
)
def test_a_service_restarts_for_what_it_depends_on_and_says_what(worker, bundle, change, why):
    made = plan.make(worker, _with_change(bundle, AGENT, change), 3)
    assert made.switch
    assert made.upload
    assert not made.make_venv
    assert dict(made.restart) == {AGENT: why}


def test_another_environment_is_made_and_restarts_all(worker, bundle):
    other = replace(
        bundle, id="r2", lock="lock2", units={u: {**p, "environment": "2"} for u, p in bundle.units.items()}
    )
    made = plan.make(worker, other, 3)
    assert made.make_venv
    assert dict(made.restart) == dict.fromkeys(SERVICES, "new environment")


def test_what_counts_is_the_release_a_process_runs_from_not_the_link(worker, bundle):
    """A deploy that was cut off between switch and restart is finished by the next one."""
    old = {"lock": "lock1", "units": {AGENT: {**bundle.units[AGENT], "code": "code-0"}}, "damaged": []}
    cut = replace(_with_unit(worker, AGENT, release="release0"), releases={**worker.releases, "release0": old})
    assert dict(plan.make(cut, bundle, 3).restart) == {AGENT: "new code"}


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"ActiveState": "failed"}, "it is failed"),
        ({"ActiveState": "activating"}, "it is activating"),
        ({"ActiveState": ""}, "it is unknown"),
        ({"release": None}, "it runs from no release that is still there"),
        ({"release": "gone"}, "it runs from no release that is still there"),
    ],
)
def test_a_service_that_does_not_run_as_it_should_restarts(worker, bundle, state, why):
    assert dict(plan.make(_with_unit(worker, DASHBOARD, **state), bundle, 3).restart) == {DASHBOARD: why}


def test_a_file_changed_by_hand_is_written_again(worker, bundle, seeing):
    path = "/etc/ssh/sshd_config.d/10-jada.conf"
    made = plan.make(seeing(worker, "file", {path: {"content": "0" * 64}}), bundle, 3)
    assert _names(made, "write") == [path]
    assert not made.restart


def test_a_file_of_the_release_changed_by_hand_is_brought_back_with_what_runs_from_it(worker, bundle):
    hurt = {**worker.releases["release1"], "damaged": ["units/jada-agent.service", "etc/jada.toml"]}
    made = plan.make(replace(worker, releases={"release1": hurt}), bundle, 3)
    assert made.upload
    assert dict(made.restart) == dict.fromkeys(SERVICES, "units/jada-agent.service, etc/jada.toml was changed by hand")


def test_rights_changed_by_hand_are_set_right_and_nothing_restarts(worker, bundle, seeing):
    made = plan.make(seeing(worker, "rights", {"/home/jada/secrets": "0755 root:root"}), bundle, 3)
    assert not made.nothing
    assert _names(made, "set right") == ["/home/jada/secrets"]
    assert not made.restart


@pytest.mark.parametrize("target", [None, "/opt/jada-agent/releases/release1/etc"], ids=["gone", "leads elsewhere"])
def test_a_link_changed_by_hand_is_made_again(worker, bundle, seeing, target):
    made = plan.make(seeing(worker, "link", {"/etc/jada": target}), bundle, 3)
    assert [(each.row.name, each.row.want) for each in made.repairs] == [("/etc/jada", "/opt/jada-agent/current/etc")]
    assert not made.nothing


def test_a_release_that_is_there_already_is_not_sent_again(worker, bundle):
    back = replace(worker, current="release2", releases={**worker.releases, "release2": worker.releases["release1"]})
    made = plan.make(back, bundle, 3)
    assert made.switch
    assert not made.upload


def test_missing_secrets_block_only_what_can_not_start_without(fresh, bundle):
    made = plan.make(fresh, bundle, 3)
    assert set(made.blocking) == {"anthropic_api_key"}
    assert {secret.name for secret in made.missing} == {name for name, secret in SECRETS.items() if not secret.optional}


def test_a_secret_that_only_units_at_rest_read_is_not_missing(fresh, bundle):
    made = plan.make(fresh, bundle, 3, off=SECRETS["anthropic_api_key"].readers)
    assert made.missing
    assert "anthropic_api_key" not in {secret.name for secret in made.missing}


def _with_releases(worker, names, current, **running):
    probed = replace(worker, releases=dict.fromkeys(names, worker.releases["release1"]), current=current)
    for unit in SERVICES:
        probed = _with_unit(probed, unit, release=running.get("runs", current))
    return probed


@pytest.mark.parametrize(
    ("names", "current", "keep", "kept"),
    [
        (["r9", "r8", "r7"], "r7", 2, ("r7",)),
        (["r9", "r8", "r7"], "r7", 3, ("r7", "r9")),
        (["r9", "r8", "r7"], "r9", 2, ("r9",)),
        (["r9", "new", "r7"], "new", 2, ("r9", "new")),
        (["r9", "r8", "r7"], "vanished", 2, ("r9",)),
        ([], None, 2, ()),
    ],
)
def test_the_release_that_was_current_is_kept_first_whatever_its_age(worker, bundle, names, current, keep, kept):
    """Releases are listed newest first, and the new one comes on top of those that are kept."""
    assert plan.make(_with_releases(worker, names, current), replace(bundle, id="new"), keep).keep == kept


def test_a_release_that_something_still_runs_from_is_kept_besides(worker, bundle):
    probed = _with_releases(worker, ["r9", "r8", "r7", "r6"], "r9")
    old = _with_unit(_with_unit(probed, DASHBOARD, release="r6"), AGENT, release="gone")
    assert plan.make(old, replace(bundle, id="new"), 3).keep == ("r9", "r8", "r6")


def test_orders_carry_what_the_installer_reads(fresh, bundle):
    made = plan.make(fresh, bundle, 3)
    health = plan.Health("unix:/run/q.sock", 60, 10, 75)
    orders = plan.orders(made, health, wheels=None, archive={"path": "/x", "sha256": "y"})
    system, repairs = orders.pop("system"), orders.pop("repairs")
    assert orders == {
        "id": "release1", "lock": "lock1", "seen": None, "switch": True, "wheels": None,
        "archive": {"path": "/x", "sha256": "y"}, "keep": [], "reload": True,
        "restart": list(SERVICES), "healthy": list(SERVICES),
        "prove": False, "after": None, "digest": plan.digest(made), "login": "admin", "ours": [*desired.ours()],
        "health": {"url": "unix:/run/q.sock", "seconds": 60, "steady_s": 10, "proven_s": 75},
    }  # fmt: skip
    assert [each["name"] for each in system if each["repair"] == "install"] == [
        "bubblewrap",
        "cron",
        "unattended-upgrades",
    ]
    written = [(each["name"], each["give"]) for each in system if each["repair"] == "write"]
    assert written == [(file.path, {"content": file.content, "kind": file.kind}) for file in system_files()]
    assert {each["name"]: each["want"] for each in repairs if each["repair"] == "link"} == desired.LINKS


def test_every_repair_of_the_table_is_one_that_the_host_knows_and_that_a_plan_can_say():
    wanted = {row.repair for row in desired.table("debian_12") if row.repair}
    assert wanted <= set(REPAIRS)
    assert wanted <= set(desired.SAID)
    asked = desired.request(deep=True)
    assert set(asked["looks"]) <= {*LOOKS, "sshd", "sshd still offers", "strangers in", "unit"}
    assert set(asked["as_found"]) <= set(SURROUNDINGS)


def test_a_row_that_no_deploy_brings_back_says_what_to_do():
    assert [row.id for row in desired.table("debian_12") if not row.repair and not row.cure] == []


def test_a_plan_says_each_thing_that_will_change(fresh, bundle):
    said = list(plan.lines(plan.make(fresh, bundle, 3)))
    assert said == [
        "will install    bubblewrap, cron, unattended-upgrades",
        *(f"will write      {file.path}" for file in system_files()),
        "will build      the Python environment lock1, offline",
        "will upload     release release1",
        f"will set right  owner and mode of {', '.join(desired.FOLDERS)}",
        *(f"will set right  the user {name}: it is not there" for name in desired.USERS),
        "will add        admin to jada-queue, jada-operators: an operator of the queue",
        f"will link       through the current release: {', '.join(desired.LINKS)}",
        "will record     what else is on the host, to tell later what a hand has changed",
        "will switch     from no release to release1",
        "will start      jada-dashboard.service: it is inactive",
        "will start      jada-agent.service: it is inactive",
        "will start      jada-notify.service: it is inactive",
    ]


@pytest.mark.parametrize(
    ("look", "seen", "said"),
    [
        ("package", {"cron": False}, "will install    cron"),
        ("file", {"/opt/jada-agent/recover.py": None}, "will write      /opt/jada-agent/recover.py"),
        ("link", {"/etc/jada": None}, "will link       through the current release: /etc/jada"),
        ("rights", {"/var/lib/jada-sync": None}, "will set right  owner and mode of /var/lib/jada-sync"),
        (
            "login user's group",
            {"jada-operators": False},
            "will add        admin to jada-operators: an operator of the queue",
        ),
    ],
)
def test_one_thing_that_is_not_as_it_should_be_is_something_to_do(worker, bundle, seeing, look, seen, said):
    made = plan.make(seeing(worker, look, seen), bundle, 3)
    assert not made.nothing
    assert list(plan.lines(made)) == [said]
    assert not made.restart


def test_another_release_is_switched_to(worker, bundle):
    made = plan.make(replace(worker, current="release0"), bundle, 3)
    assert "will switch     from release release0 to release1" in plan.lines(made)


def test_a_unit_that_the_running_release_did_not_have_restarts(worker, bundle):
    known = {unit: parts for unit, parts in bundle.units.items() if unit != AGENT}
    without = {**worker.releases["release1"], "units": known}
    made = plan.make(replace(worker, releases={"release1": without}), bundle, 3)
    assert dict(made.restart) == {AGENT: "new code and environment and settings and unit"}


@pytest.mark.parametrize("damaged", [["app/agent/__main__.py"], ["manifest.json"]])
def test_a_damaged_release_is_named_removed_and_not_kept(worker, bundle, damaged):
    hurt = {"lock": "", "units": {}, "damaged": damaged}
    made = plan.make(replace(worker, releases={**worker.releases, "release0": hurt}), bundle, 3)
    assert list(plan.lines(made)) == [
        f"will remove     release release0, which can't be gone back to: damaged are {damaged[0]}"
    ]
    assert (made.keep, dict(made.restart)) == (("release1",), {})


def test_a_release_whose_environment_is_lost_can_not_be_gone_back_to(worker, bundle):
    other = {**worker.releases["release1"], "lock": "lost"}
    made = plan.make(replace(worker, releases={**worker.releases, "release0": other}), bundle, 3)
    assert dict(made.damaged) == {"release0": "its Python environment lost is lost or was changed"}
    assert made.keep == ("release1",)


def test_what_the_plan_makes_anew_is_not_called_lost(worker, bundle):
    made = plan.make(replace(worker, venvs=()), bundle, 3)
    assert made.make_venv
    assert dict(made.damaged) == {}
    assert made.keep == ("release1",)


def test_an_order_names_the_deploy_after_which_the_host_was_seen(worker, bundle):
    made = plan.make(replace(worker, run="20260513-1"), bundle, 3)
    assert made.after == "20260513-1"


def test_a_lost_environment_is_made_anew_and_what_ran_from_it_restarts(worker, bundle):
    made = plan.make(replace(worker, venvs=()), bundle, 3)
    assert made.make_venv
    assert dict(made.restart) == dict.fromkeys(SERVICES, "its Python environment lock1 was lost or changed")


def test_a_release_without_its_manifest_is_sent_again_and_what_runs_from_it_restarts(worker, bundle):
    hurt = {"lock": "", "units": {}, "damaged": ["manifest.json"]}
    made = plan.make(replace(worker, releases={"release1": hurt}), bundle, 3)
    assert next(plan.lines(made)) == "will upload     release release1: damaged are manifest.json"
    assert dict(made.restart) == dict.fromkeys(SERVICES, "manifest.json was changed by hand")


def test_a_folder_where_a_link_belongs_is_named_and_moved_aside(worker, bundle, seeing):
    made = plan.make(seeing(worker, "link", {"/etc/jada": desired.A_FOLDER}), bundle, 3)
    assert "will move       the folder /etc/jada aside, to /etc/jada.moved-…: a link belongs there" in plan.lines(made)


def test_the_sync_is_never_restarted(worker, bundle):
    changed = _with_change(bundle, "port-sheet-sync.service", {"code": "code-2"})
    assert not plan.make(worker, changed, 3).restart


def test_only_a_service_waits_for_its_secrets(worker, bundle):
    without = plan.make(replace(worker, secrets=("dashboard_token",)), bundle, 3)
    assert without.blocking == ("anthropic_api_key",)
    assert plan.make(worker, bundle, 3).blocking == ()


def test_the_folders_that_are_checked_are_those_that_tmpfiles_makes():
    lines = [line.split() for line in (FILES / "etc/tmpfiles.d/jada.conf").read_text().splitlines()]
    made = {words[1]: f"{words[2]} {words[3]}:{words[4]}" for words in lines if words[0] == "d"}
    assert made == desired.FOLDERS


def test_the_users_that_are_checked_are_those_that_sysusers_makes():
    lines = [line.split() for line in (FILES / "etc/sysusers.d/jada.conf").read_text().splitlines()]
    homes = {words[1]: words[-1] for words in lines if words[0] == "u"}
    assert homes == {name: home for name, (home, _) in desired.USERS.items()}
    joined = {(words[1], words[2]) for words in lines if words[0] == "m"}
    assert joined == {(name, group) for name, (_, groups) in desired.USERS.items() for group in groups if group != name}


@pytest.mark.parametrize(("path", "target"), desired.LINKS.items())
def test_a_link_leads_through_current_to_what_its_reader_looks_for(path, target):
    inside = target.removeprefix("/opt/jada-agent/").removeprefix("current/")
    assert target.endswith(f"current/{inside}")
    assert inside in ("scripts", "etc") or (FILES / inside).is_file()
    read = ("/etc/systemd/system/", "/etc/cron.d/", "/etc/sysusers.d/", "/etc/tmpfiles.d/")
    assert path.startswith(read) if "/" in inside else path in ("/etc/jada", "/opt/jada-agent/scripts")


@pytest.mark.parametrize(
    ("state", "prove"),
    [
        ({}, False),
        ({"proven": ()}, True),
        ({"proven": (), "pending": "release1", "deploying": True}, False),
        ({"proven": (), "pending": "release1"}, True),
        ({"pending": "release1"}, True),
        ({"pending": "release0", "proven": (), "deploying": True}, True),
        ({"current": "release0", "proven": ()}, False),
    ],
)
def test_a_release_that_was_cut_off_before_its_proof_is_proven_by_the_next_deploy(worker, bundle, state, prove):
    made = plan.make(replace(worker, **state), bundle, 3)
    assert made.prove is prove
    assert made.nothing is (not prove and not made.switch)
    said = "will prove      release release1, which was not watched until it was proven"
    assert (said in plan.lines(made)) is prove


def test_the_release_that_was_proven_last_is_kept_before_all_others(worker, bundle):
    probed = replace(_with_releases(worker, ["r9", "r8", "r7"], "r9"), proven=("gone", "r7", "r8"))
    assert plan.make(probed, replace(bundle, id="new"), 2).keep == ("r7", "r9")


def test_a_plans_digest_is_that_of_what_is_printed(worker, bundle):
    made, other = plan.make(worker, bundle, 3), plan.make(replace(worker, proven=()), bundle, 3)
    assert plan.digest(made) == plan.digest(plan.make(worker, bundle, 3))
    assert plan.digest(made) != plan.digest(other)
    assert len(plan.digest(made)) == 12


def test_what_takes_long_to_look_at_is_asked_of_a_host_only_where_that_is_wanted():
    assert plan.probe_request()["unseen"] == plan.probe_request(deep=False)["unseen"] != []
    assert plan.probe_request(deep=True)["unseen"] == []


@pytest.fixture
def two(worker):
    """A host with a release before the current one, both proven."""
    other = {**worker.releases["release1"], "units": {DASHBOARD: {"code": "old"}}}
    return replace(worker, releases={**worker.releases, "release0": other}, proven=("release1", "gone", "release0"))


def test_the_way_back_is_to_the_last_proven_release_that_is_there_and_whole(two):
    assert plan.to_go_back_to(two) == "release0"
    assert plan.to_go_back_to(replace(two, proven=("release1",))) is None
    hurt = {**two.releases, "release0": {**two.releases["release0"], "damaged": ["a"]}}
    assert plan.to_go_back_to(replace(two, releases=hurt)) is None
    assert plan.of_release(replace(two, releases=hurt), "release0") is None
    assert plan.of_release(two, "never") is None


def test_going_back_stops_what_the_release_does_not_have_and_restarts_what_differs(two):
    before = plan.of_release(two, "release0")
    assert (before.files, before.units[AGENT]) == ({}, {})
    made = plan.make(two, before, 3)
    assert (made.switch, made.upload, made.make_venv) == (True, False, False)
    assert made.restart[DASHBOARD] == "new code"
    assert made.restart[AGENT] == "release release0 does not have it: it is stopped"
    assert "release1" in made.keep


def test_packages_that_settings_ask_for_are_looked_at_and_installed(fresh, bundle):
    assert plan.probe_request(["git"])["looks"]["package"] == ["bubblewrap", "cron", "unattended-upgrades", "git"]
    made = plan.make(fresh, bundle, 3, ["git", "cron"])
    assert [each.row.name for each in made.differing if each.row.look == "package"] == [
        "bubblewrap",
        "cron",
        "unattended-upgrades",
        "git",
    ]


def test_what_is_paused_is_neither_started_nor_waited_for(worker, bundle):
    word = {"by": "anna", "since": "2026-05-13T12:00:00Z", "why": "the box is replaced"}
    stopped = {**worker.units, "jada-agent.service": {"ActiveState": "inactive", "release": None}}
    seen = replace(worker, units=stopped, paused={"jada-agent.service": word})
    made = plan.make(seen, bundle, 3)
    assert made.nothing
    assert list(plan.lines(made))[-1] == (
        "stays paused    jada-agent.service: paused by anna since 2026-05-13T12:00:00Z (the box is replaced)"
    )
    ordered = plan.orders(made, plan.Health("u", 1, 1, 1), wheels=None, archive=None)
    assert "jada-agent.service" not in [*ordered["healthy"], *ordered["restart"]]
    assert ordered["reload"] is False


def test_what_one_user_paused_at_once_is_a_line_and_has_its_reason_only_where_there_is_one():
    word = {"by": "anna", "since": "2026-05-13T12:00:00Z", "why": ""}
    paused = {"a.service": word, "b.service": word, "c.service": {**word, "why": "moved"}}
    assert list(plan.pause_lines(paused)) == [
        "a.service, b.service: paused by anna since 2026-05-13T12:00:00Z",
        "c.service: paused by anna since 2026-05-13T12:00:00Z (moved)",
    ]


def test_a_unit_that_a_hand_changed_restarts_and_says_how(worker, bundle, seeing):
    unit = {**worker.found["unit"][AGENT], "DropInPaths": ["/etc/systemd/system/jada-agent.service.d/x.conf"]}
    made = plan.make(seeing(worker, "unit", {AGENT: unit}), bundle, 3)
    assert _names(made, "unit") == [AGENT]
    assert list(made.restart) == [AGENT]
    assert made.restart[AGENT].endswith("jada-agent.service.d/x.conf, and not none")
    assert f"will restart    {AGENT}: {made.restart[AGENT]}" in plan.lines(made)
    assert plan.orders(made, plan.Health("u", 1, 1, 1), wheels=None, archive=None)["reload"] is True


def test_a_unit_that_holds_another_copy_of_a_secret_restarts(worker, bundle):
    made = plan.make(_with_unit(worker, AGENT, stale_secrets=["anthropic_api_key"]), bundle, 3)
    assert dict(made.restart) == {AGENT: "anthropic_api_key changed since it started"}


def test_surroundings_that_a_hand_changed_are_named_and_nothing_is_done_about_them(worker, bundle, seeing):
    made = plan.make(seeing(worker, "area", {"sudo": {"/etc/sudoers.d/x": "is new"}}), bundle, 3)
    assert made.nothing
    assert [each.row.id for each in made.named] == ["area sudo"]
    assert list(plan.lines(made))[-1] == f"differs  {desired.described(made.named[0])}"


def test_a_host_of_an_earlier_release_is_recorded_once(worker, bundle, seeing):
    made = plan.make(seeing(worker, "area", {"sudo": None}), bundle, 3)
    assert list(plan.lines(made)) == ["will record     what else is on the host, to tell later what a hand has changed"]

"""The release: every file as built, cron's line and the journal as deployed."""

CURRENT = "/opt/jada-agent/current"


def test_every_file_is_as_built(probed):
    assert probed.releases[probed.current]["damaged"] == [], "`fab deploy` brings it back"


def test_current_leads_to_the_release_its_manifest_names(out, manifest):
    assert out("readlink", CURRENT) == f"releases/{manifest['id']}"


def test_cron_starts_the_sync_every_half_hour_and_does_nothing_else(out):
    lines = [line for line in out("cat", "/etc/cron.d/port-sheet-sync").splitlines() if line[:1] in ("*", "0")]
    assert lines == ["*/30 * * * * root systemctl start --no-block port-sheet-sync.service"]


def test_cron_runs_and_our_users_have_no_tables_of_their_own(out):
    assert out("systemctl", "is-active", "cron") == "active"
    assert not {"jada", "jada-sync", "jada-dashboard", "jada-notify"} & set(
        out("ls", "/var/spool/cron/crontabs").split()
    )


def test_the_journal_outlives_a_reboot_within_its_bound(out):
    out("sh", "-c", "test -f /var/log/journal/$(cat /etc/machine-id)/system.journal")
    assert int(out("du", "-sm", "/var/log/journal").split()[0]) <= 500 + 16  # a file more, while one is rotated


def test_the_environment_is_the_locked_one_and_whole(probed, out, manifest):
    assert out("readlink", f"{CURRENT}/venv").endswith(f"/venvs/{manifest['lock']}")
    assert manifest["lock"] in probed.venvs, "it was lost or changed: `fab deploy` makes it anew"

"""What breaks each hand-written check of `fab verify`, one thing each: how, how it is undone, which checks it fails.

Those of one batch are there together, because each run of `fab verify` takes its seconds.
"""

from dataclasses import dataclass

HOME = "/opt/jada-agent"
CURRENT = f"{HOME}/current"
UNITS = "/etc/systemd/system"
SECRETS = "/home/jada/secrets"
SSHD = """\
PasswordAuthentication yes
KbdInteractiveAuthentication yes
PermitRootLogin yes
PermitEmptyPasswords yes
X11Forwarding yes
AllowUsers mallory
MACs hmac-sha1,umac-64@openssh.com
KexAlgorithms ecdh-sha2-nistp256
HostKeyAlgorithms ecdsa-sha2-nistp256
TrustedUserCAKeys none"""
"""Read by `sshd -T` only: the one that runs is not reloaded, and goes on letting us in."""
HARDENED = (
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "permitrootlogin",
    "permitemptypasswords",
    "x11forwarding",
    "allowusers",
)
WEAK = ("macs-hmac-sha1", "macs-umac-64", "kexalgorithms-nistp", "hostkeyalgorithms-ecdsa")
DATAGRAMS = "import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind((str(), 5399)); time.sleep(999)"
LARGE = "import time; kept = bytearray([1]) * (40 << 20); import anthropic; time.sleep(999)"
"""A worker that imports the client of the Messages API, and holds memory."""


@dataclass(frozen=True)
class Breakage:
    """`do` it in a root's shell of the host, and `undo` it; `fails` are the checks that notice it, by name or with the
    parameter, and no other does.
    """

    do: str
    undo: str
    fails: tuple[str, ...]


def _appended(path: str, *fails: str) -> Breakage:
    return Breakage(f"echo '# by hand' >>$(readlink -f {path})", f"sed -i '$ d' $(readlink -f {path})", fails)


def _made(path: str, content: str, *fails: str) -> Breakage:
    return Breakage(f"echo '{content}' >{path}", f"rm {path}", fails)


def _aside(path: str, *fails: str) -> Breakage:
    return Breakage(f"mv {path} {path}.aside", f"mv {path}.aside {path}", fails)


def _drop_in(unit: str, lines: str, seen_by: str, *fails: str) -> Breakage:
    """A unit that a hand changed and started anew, and is waited for; nobody tells its watchdog that it lives."""
    folder = f"{UNITS}/{unit}.d"
    began = f"systemctl daemon-reload && systemctl restart {unit}"
    do = f"mkdir -p {folder} && printf '[Service]\\nWatchdogSec=0\\n{lines}\\n' >{folder}/x.conf && {began}"
    do = f"{do} && until {seen_by}; do sleep 0.1; done"
    return Breakage(do, f"rm {folder}/x.conf && {began}", (f"test_no_unit_was_changed_by_hand[{unit}]", *fails))


def _listening(name: str, words: str, seen_by: str, *fails: str) -> Breakage:
    """A program of a hand that listens, and is waited for."""
    do = f"systemd-run --unit={name} --collect python3 {words} && until {seen_by}; do sleep 0.1; done"
    return Breakage(do, f"systemctl stop {name}", fails)


FILES = {
    "a port": _listening(
        "open-door", "-m http.server 8097", "ss -Hltn | grep -q :8097", "test_only_ssh_listens_beyond_loopback"
    ),
    "a port for datagrams": _listening(
        "open-datagrams",
        f"-c '{DATAGRAMS}'",
        "ss -Hlun | grep -q :5399",
        "test_nothing_waits_for_datagrams_beyond_loopback",
    ),
    "a drop-in of sshd's before ours": Breakage(
        f"echo '{SSHD}' >/etc/ssh/sshd_config.d/00-x.conf",
        "rm /etc/ssh/sshd_config.d/00-x.conf && systemctl reload ssh",
        (
            *(f"test_sshd_is_hardened[{name}" for name in HARDENED),
            *(f"test_sshd_offers_nothing_weak[{name}" for name in WEAK),
            "test_sshd_trusts_the_certificates_authority",
        ),
    ),
    "updates switched off": _made(
        "/etc/apt/apt.conf.d/99x",
        'APT::Periodic::Unattended-Upgrade "0";',
        "test_security_updates_are_installed_once_a_day",
    ),
    "a shell": Breakage(
        "usermod -s /bin/bash jada-sync",
        "usermod -s /usr/sbin/nologin jada-sync",
        ("test_each_program_has_a_user_that_can_not_log_in[jada-sync",),
    ),
    "sockets for everyone": Breakage(
        "chmod 755 /run/jada-dashboard; chmod 666 /run/jada-dashboard/*",
        "chmod 660 /run/jada-dashboard/*; chmod 750 /run/jada-dashboard",
        (
            "test_the_queues_socket_knows_who_calls[nobody",
            "test_the_pages_socket_has_no_api_and_is_for_operators[nobody",
        ),
    ),
    "an operator less": Breakage(
        "gpasswd -d admin jada-operators", "gpasswd -a admin jada-operators", ("test_the_login_user_is_an_operator",)
    ),
    "a secret taken away": _aside(f"{SECRETS}/anthropic_api_key", "test_each_secret_is_there[anthropic_api_key"),
    "a secret's mode": Breakage(
        f"chmod 644 {SECRETS}/bookings_token",
        f"chmod 600 {SECRETS}/bookings_token",
        ("test_each_secret_is_for_root_only",),
    ),
    "a file among the secrets": Breakage(
        f"install -m 600 /dev/null {SECRETS}/notes", f"rm {SECRETS}/notes", ("test_nothing_else_is_among_the_secrets",)
    ),
    "a program of the worker's": Breakage(
        f"chown jada {CURRENT}/app/agent/__main__.py",
        f"chown root {CURRENT}/app/agent/__main__.py",
        (
            f"test_what_runs_belongs_to_root[{HOME}]",
            f"test_what_runs_belongs_to_root[{CURRENT}/app]",
            "test_every_file_is_as_built",
        ),
    ),
    "a unit's file": _appended(
        f"{UNITS}/jada-failed@.service",
        "test_units_are_the_ones_of_the_release[jada-failed@.service]",
        "test_every_file_is_as_built",
    ),
    "the cron line": Breakage(
        "sed -i s,/30,/31, $(readlink -f /etc/cron.d/port-sheet-sync)",
        "sed -i s,/31,/30, $(readlink -f /etc/cron.d/port-sheet-sync)",
        ("test_cron_starts_the_sync_every_half_hour_and_does_nothing_else", "test_every_file_is_as_built"),
    ),
    "a crontab of the worker": _made(
        "/var/spool/cron/crontabs/jada", "# by hand", "test_cron_runs_and_our_users_have_no_tables_of_their_own"
    ),
    "a journal that is not kept": _aside(
        "/var/log/journal/$(cat /etc/machine-id)/system.journal", "test_the_journal_outlives_a_reboot_within_its_bound"
    ),
    "an environment that was changed": _appended(
        f"{CURRENT}/venv/pyvenv.cfg", "test_the_environment_is_the_locked_one_and_whole"
    ),
    "a drop-in": Breakage(
        f"mkdir -p {UNITS}/jada-backup.service.d && touch {UNITS}/jada-backup.service.d/x.conf"
        " && systemctl daemon-reload",
        f"rm {UNITS}/jada-backup.service.d/x.conf && systemctl daemon-reload",
        ("test_no_unit_was_changed_by_hand[jada-backup.service]",),
    ),
    "a target without an address": Breakage(
        "sed -i '/^targets = /s/.*/targets = [\"nobody\"]/' $(readlink -f /etc/jada/jada.toml)",
        "sed -i '/^targets = /s/.*/targets = []/' $(readlink -f /etc/jada/jada.toml)",
        ("test_every_notification_target_has_an_address_and_one_took_a_test_there", "test_every_file_is_as_built"),
    ),
}
RUNNING = {
    "a worker with the API's client in it": _drop_in(
        "jada-agent.service",
        f'Type=simple\\nExecStart=\\nExecStart={CURRENT}/venv/bin/python -c "{LARGE}"',
        "grep -q jiter /proc/$(systemctl show -P MainPID jada-agent)/maps",
        "test_the_idle_daemon_is_small",
        "test_the_daemon_never_imports_the_api_client",
    ),
    "a sender that is root, with a token, on a port": _drop_in(
        "jada-notify.service",
        "Type=simple\\nUser=root\\nEnvironment=X_TOKEN=1\\nIPAddressDeny=\\nRestrictAddressFamilies=\\nExecStart=\\n"
        f"ExecStart={CURRENT}/venv/bin/python -m http.server --bind 127.0.0.1 8098",
        "ss -Hltn | grep -q :8098",
        "test_services_run_as_their_users_from_a_release_that_is_there[jada-notify.service",
        "test_no_secret_is_in_a_services_environment",
        "test_no_service_listens_on_a_port_but_the_one_for_other_hosts",
    ),
    "another folder for the release": Breakage(
        f"cd {HOME}/releases && ln -s $(readlink {CURRENT} | cut -d/ -f2) copy && ln -sfn releases/copy {CURRENT}",
        f"ln -sfn releases/$(readlink {HOME}/releases/copy) {CURRENT} && rm {HOME}/releases/copy",
        ("test_current_leads_to_the_release_its_manifest_names",),
    ),
}
QUEUE = {
    "a queue whose file was moved": _aside(
        "/var/lib/jada-dashboard/queue.db",
        "test_the_queue_is_written_and_read_back",
        "test_the_queues_socket_knows_who_calls[jada-sync-/readyz",
    ),
    "a paused worker that runs": Breakage(
        f"mkdir -p {HOME}/paused && echo {{}} >{HOME}/paused/jada-agent.service",
        f"rm {HOME}/paused/jada-agent.service",
        ("test_what_is_paused_does_not_run",),
    ),
    "a service that does not start at boot": Breakage(
        f"rm {UNITS}/multi-user.target.wants/jada-notify.service && systemctl daemon-reload",
        f"ln -s {CURRENT}/units/jada-notify.service {UNITS}/multi-user.target.wants/ && systemctl daemon-reload",
        ("test_services_run_and_start_at_boot[jada-notify.service]",),
    ),
}
BATCHES = (FILES, RUNNING, QUEUE)
BREAKAGES = {name: breakage for batch in BATCHES for name, breakage in batch.items()}

"""What waits reaches a user's web hook within a minute, under one id, whatever happens to sender and receiver.

With JADA_HOUR=real the receiver is away for an hour of the town's clock, as in `make faults`; else the outbox is told
that the hour has passed.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashboard.outgoing import LONGEST_PAUSE_S
from local.demo import ANSWER, TASKS
from local.process import wait_until
from tests.e2e.chain.conftest import is_ready
from wire.client import RequestRefused
from wire.types import File, NewTask, Reply, State

pytestmark = [pytest.mark.root, pytest.mark.chain]
PORT = 8710
MINUTE, HOUR = 60, 3600
HOUR_IS_REAL = os.environ.get("JADA_HOUR") == "real"
SECRETS = "/home/jada/secrets"
STATE, KEPT = "/var/lib/jada-dashboard", "/root/kept-state"


class Receiver:
    """The web hook in the cloud's network: what came, and what it answers."""

    def __init__(self, site, folder, port=PORT):
        self.folder = folder
        program = [sys.executable, str(Path(__file__).with_name("receiver.py")), site.cloud_address, str(port)]
        self._inside = ["nsenter", f"--net=/run/netns/{site.edge}", "--", *program, str(folder)]
        self.answers(200)
        self.start()

    def start(self):
        (self.folder / "listens").unlink(missing_ok=True)
        self._process = subprocess.Popen(self._inside)
        assert wait_until((self.folder / "listens").exists, MINUTE)

    def stop(self):
        self._process.terminate()
        self._process.wait()

    @contextlib.contextmanager
    def away(self):
        self.stop()
        try:
            yield
        finally:
            self.start()

    def answers(self, what):
        half = self.folder / "answer.half"
        half.write_text(str(what))
        half.replace(self.folder / "answer")  # never read while it is empty

    def got(self, word=""):
        path = self.folder / "got"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [row for row in rows if word in row["title"] + row["text"]]

    def waits_for(self, word, count=1, seconds=MINUTE):
        """Wait until `count` messages with this word came; returns them."""
        assert wait_until(lambda: len(self.got(word)) >= count, seconds, 0.2), self.got()
        return self.got(word)


@pytest.fixture(scope="module")
def receiver(chain, tmp_path_factory):
    """A web hook that the host is set up to notify; what was changed by hand there is put right by a deploy."""
    folder, secrets = tmp_path_factory.mktemp("receiver"), tmp_path_factory.mktemp("secrets")
    made = Receiver(chain.site, folder)
    (secrets / "notify_targets").write_text(f"hook = json://{chain.site.cloud_address}:{PORT}/\n")
    # Ended whatever fails meanwhile: a run would wait for it for ever.
    try:
        chain.fab("secrets", "--from", str(secrets))
        edits = r's/^targets = .*/targets = ["hook"]/; s/^report_again_s = .*/report_again_s = 1/'
        # The tests tell more in a minute than a worker in a day.
        edits += "; s/^burst = .*/burst = 99/"
        chain.host(f"sed -i '{edits}' $(readlink -f /etc/jada/jada.toml)")
        chain.host("systemctl restart jada-dashboard jada-notify")
        yield made
        chain.remove_secrets("notify_targets")
        # Before: what is restarted while a host watches begins the watch anew, which is waited for.
        chain.host("systemctl restart jada-notify")
        chain.fab("deploy")
        chain.fab("attach")
    finally:
        made.stop()


@pytest.fixture
def client(chain, receiver):
    with chain.dashboard() as client:
        yield client


def test_fab_notify_says_what_the_receiver_answered(chain, receiver):
    assert "hook: accepted" in chain.fab("notify").stdout
    receiver.answers(403)
    refused = chain.fab("notify", check=False)
    receiver.answers(200)
    assert (refused.returncode, "hook: refused with status 403" in refused.stdout) == (1, True)
    assert [row["title"].split(" (")[0] for row in receiver.got()] == ["[jada] Test"] * 2


def test_the_status_says_who_is_notified(chain, receiver):
    assert "notified   hook; nothing unsent" in chain.fab("status").stdout


def test_a_question_arrives_once_and_its_answer_too(client, receiver):
    task = client.add_task(TASKS[2])
    assert wait_until(lambda: client.task(task.id).state is State.NEEDS_YOU, 120, 0.3)
    began = time.time()
    (asked,) = receiver.waits_for(f"fab task.answer {task.id}")
    assert asked["at"] - began < MINUTE
    assert asked["id"].startswith(f"{task.id}.question.")
    client.reply(task.id, Reply(text=ANSWER), version=client.task(task.id).version)
    (over,) = receiver.waits_for(f"{asked['id']}.over")
    assert "It is in the queue again." in over["text"]


ENDS = """
from wire.client import Client
from wire.types import ClaimRequest, Exit, SessionEnd
queue = Client("unix:/run/jada-dashboard/queue.sock")
for end in {exits}:
    held = queue.claim(ClaimRequest(host="box"))
    queue.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit[end], reason=f"{word} by {{end}}."))
"""


@pytest.fixture
def ended(chain, client):
    """Let sessions end as told, by the worker's user; the worker itself rests meanwhile."""
    tasks = []

    def end(word, *exits):
        tasks.extend(client.add_task(NewTask(title=f"The worker's place {n}", priority=9)) for n, _ in enumerate(exits))
        chain.as_user("jada", ENDS.format(exits=exits, word=word))

    chain.host("systemctl stop jada-agent")
    yield end
    for task in tasks:
        client.cancel(task.id)
    chain.host("systemctl start jada-agent")


def test_a_task_that_lacks_money_one_that_is_stuck_and_a_failed_one_arrive(receiver, ended):
    exits, began = ("BUDGET", "STUCK", "FAULT"), time.time()
    ended("It ended", *exits)
    for name in exits:
        rows = receiver.waits_for(f"It ended by {name}.")
        assert rows[0]["at"] - began < MINUTE
        assert len({row["id"] for row in rows}) == 1


LATER = """
import json, sqlite3
db = sqlite3.connect("/var/lib/jada-dashboard/queue.db", timeout=60)
with db:
    db.execute("BEGIN IMMEDIATE")
    sql = "SELECT due_at - {seconds}, record, id, target FROM notices WHERE due_at IS NOT NULL"
    for due_at, record, *key in db.execute(sql).fetchall():
        record = json.dumps({{**json.loads(record), "due_at": due_at}})
        db.execute("UPDATE notices SET due_at = ?, record = ? WHERE id = ? AND target = ?", (due_at, record, *key))
"""


def let_pass(chain, seconds):
    """Let so much time pass, or tell the outbox so: what is to be sent later is due so much earlier."""
    if HOUR_IS_REAL:
        time.sleep(seconds)
    else:
        chain.as_user("jada-dashboard", LATER.format(seconds=seconds))


@pytest.mark.timeout(2 * HOUR if HOUR_IS_REAL else 300, func_only=True)
def test_a_receiver_that_is_away_for_an_hour_and_units_that_are_restarted_meanwhile_keep_the_message_and_its_id(
    chain, client, receiver, ended
):
    # Closing words of the test before would go out with it as one message, whose id names no kind.
    assert wait_until(lambda: client.notifications().unsent == 0, MINUTE)
    vain = f"journalctl -u jada-notify -q --since @{int(time.time())} --grep='stuck.*to be tried again' | wc -l"
    with receiver.away():
        ended("The hour", "STUCK")
        assert wait_until(lambda: int(chain.host(vain)) > 0, MINUTE, 0.5)
        chain.host("systemctl restart jada-dashboard jada-notify")
        let_pass(chain, HOUR)
        assert wait_until(lambda: int(chain.host(vain)) > 1, MINUTE, 0.5)
        assert client.notifications().unsent
    let_pass(chain, LONGEST_PAUSE_S)
    (row,) = receiver.waits_for("The hour by STUCK.")
    assert wait_until(lambda: client.notifications().unsent == 0, MINUTE)
    assert ".stuck." in row["id"]
    assert receiver.got("The hour by STUCK.") == [row]


def test_a_disk_with_less_room_than_asked_for_arrives_and_so_does_its_end(chain, receiver):
    settings = "$(readlink -f /etc/jada/jada.toml)"
    began = time.time()
    chain.host(f"sed -i 's/^least_free_mb = 256/least_free_mb = 1048576/' {settings}; systemctl restart jada-dashboard")
    # With others that wait it comes as one message.
    assert receiver.waits_for("The queue's disk is nearly full")[0]["at"] - began < MINUTE
    chain.host(f"sed -i 's/^least_free_mb = 1048576/least_free_mb = 256/' {settings}; systemctl restart jada-dashboard")
    receiver.waits_for("There is room on the disk again.")


@pytest.mark.usefixtures("no_cron")
def test_a_sync_that_fails_is_known_within_a_minute_and_so_is_its_recovery(chain, client, receiver):
    token = f"{SECRETS}/bookings_token"
    chain.host(f"cp -p {token} /root/kept; echo wrong > {token}")
    began = time.time()
    chain.host("systemctl start port-sheet-sync.service", check=False)
    (alarm,) = receiver.waits_for("Alarm: The booking sheet is out of step")
    chain.host(f"mv /root/kept {token}; systemctl start port-sheet-sync.service")
    assert alarm["at"] - began < MINUTE
    assert "fab secrets" in alarm["text"]
    receiver.waits_for(f"{alarm['id']}.over")


@pytest.mark.usefixtures("no_cron")
def test_a_unit_that_lacks_a_secret_is_reported_though_its_program_never_ran(chain, receiver):
    drop = "/run/systemd/system/port-sheet-sync.service.d"
    lacking = f"printf '[Service]\\nLoadCredential=gone:/nowhere\\n' > {drop}/gone.conf"
    chain.host(f"mkdir -p {drop}; {lacking}; systemctl daemon-reload")
    began = time.time()
    chain.host("systemctl start port-sheet-sync.service", check=False)
    (row,) = receiver.waits_for("Failed: port-sheet-sync.service")
    chain.host("systemctl start port-sheet-sync.service", check=False)
    chain.host(f"rm -r {drop}; systemctl daemon-reload; systemctl start port-sheet-sync.service")
    assert row["at"] - began < MINUTE
    assert "exit status 243" in row["text"]
    assert len(receiver.got("Failed: port-sheet-sync.service")) == 1


@pytest.mark.usefixtures("no_cron")
def test_a_sync_that_lacks_its_secret_names_it_in_an_alarm(chain, receiver):
    token = f"{SECRETS}/bookings_token"
    chain.host(f"mv {token} /root/kept")
    began = time.time()
    chain.host("systemctl start port-sheet-sync.service", check=False)
    alarm = receiver.waits_for("the secret bookings_token")[-1]
    chain.host(f"mv /root/kept {token}; systemctl start port-sheet-sync.service")
    assert alarm["at"] - began < MINUTE
    assert "fab secrets" in alarm["text"]
    receiver.waits_for(f"{alarm['id']}.over")


@pytest.mark.usefixtures("no_cron")
def test_a_dashboard_that_is_away_is_reported_by_the_sync(chain, receiver):
    chain.host("systemctl stop jada-dashboard")
    chain.host("systemctl start port-sheet-sync.service")
    rows = receiver.got("The sync itself succeeded")
    chain.host("systemctl start port-sheet-sync.service; systemctl start jada-dashboard")
    assert [row["title"].split(" (")[0] for row in rows] == ["[jada] The dashboard is away on jada-orchestrator"]
    assert len(receiver.got("The dashboard is away")) == 1


def test_a_service_that_dies_again_and_again_is_reported_and_still_tried(chain, receiver):
    """Also one whose tries are used up while the report is still on its way: that calls for no second one."""
    receiver.answers("drip")
    folder = "/run/systemd/system/jada-agent.service.d"
    # The pause is the unit's own matter: what is reported is that its tries are used up.
    lines = r"[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=100ms\n"
    broken = f'printf "{lines}" > {folder}/broken.conf'
    chain.host(f"mkdir -p {folder}; {broken}; systemctl daemon-reload; systemctl restart jada-agent", check=False)
    receiver.waits_for("Failed: jada-agent.service", seconds=2 * MINUTE)
    failed = "systemctl is-failed jada-agent"
    assert wait_until(lambda: chain.host(failed, check=False).strip() == "failed", MINUTE)
    chain.host(f"rm -r {folder}; systemctl daemon-reload")
    receiver.answers(200)
    assert wait_until(lambda: chain.host("systemctl is-active jada-agent", check=False).strip() == "active", 60, 1)


def test_a_queue_that_is_gone_is_reported_and_no_start_is_tried_over_it(chain, receiver):
    began, queue = int(time.time()), f"{STATE}/queue.db"
    chain.host(f"systemctl stop jada-dashboard; mv {queue} {queue}.aside; systemctl start jada-dashboard", check=False)
    receiver.waits_for("Failed: jada-dashboard.service")
    reporter = "systemctl is-active jada-failed@jada-dashboard.service.service"
    assert wait_until(lambda: chain.host(reporter, check=False).strip() == "inactive", MINUTE)
    starts = f"journalctl --sync && journalctl -u jada-dashboard --since @{began} -o cat | grep -c ^Starting"
    seen = chain.host(f"{starts}; systemctl show -P ExecMainStatus jada-dashboard").split()
    chain.host(f"mv {queue}.aside {queue}; systemctl reset-failed jada-dashboard")
    chain.host("systemctl start jada-dashboard; systemctl restart jada-notify")  # which asks less often by now
    assert seen == ["1", "78"]


def test_a_kill_while_the_receiver_drips_repeats_that_message_under_its_id_and_a_restart_repeats_none(
    chain, client, receiver, ended
):
    receiver.answers("drip")
    word, began = "Killed by STUCK.", time.time()
    ended("Killed", "STUCK")
    assert receiver.waits_for(word)[0]["at"] - began < MINUTE
    chain.host("systemctl kill --signal=KILL jada-notify.service")
    receiver.waits_for(word, 2)
    receiver.answers(200)
    assert wait_until(lambda: client.notifications().unsent == 0, MINUTE)
    rows = receiver.got(word)
    assert len({row["id"] for row in rows}) == 1
    chain.host("systemctl restart jada-dashboard jada-notify")
    ended("After it", "STUCK")
    receiver.waits_for("After it by STUCK.")
    assert receiver.got(word) == rows


@pytest.fixture
def small_disk(chain, client):
    """The host's queue on a file system of 96 MB, inside the host's own mounts; what it holds then is put back."""
    # Not sparse: the room that is kept for alarms is a file of nothing.
    copy, same = "cp -a --sparse=never", "chown --reference={0} {1}; chmod --reference={0} {1}"
    chain.host(f"systemctl stop jada-dashboard; mkdir {KEPT}; {same.format(STATE, KEPT)}; {copy} {STATE}/* {KEPT}/")
    chain.host(f"mount -t tmpfs -o size=96m tmpfs {STATE}; {same.format(KEPT, STATE)}; {copy} {KEPT}/* {STATE}/")
    chain.host("systemctl start jada-dashboard")
    yield f"{STATE}/others"
    chain.host(f"systemctl stop jada-dashboard; rm -rf {STATE}/others {KEPT}/*; {copy} {STATE}/* {KEPT}/")
    chain.host(f"umount {STATE}; rm -rf {STATE}/*; {copy} {KEPT}/* {STATE}/; rm -r {KEPT}")
    chain.host("systemctl start jada-dashboard")
    assert wait_until(lambda: is_ready(client), MINUTE)


def test_a_full_disk_takes_nothing_more_loses_nothing_and_is_reported_within_a_minute(
    chain, client, receiver, small_disk, ended
):
    large = NewTask(title="Too large", context=(File(name="a", content=os.urandom(2**21)),))
    kept = client.add_task(NewTask(title="Acknowledged"))
    began = time.time()
    chain.host(f"cat /dev/zero > {small_disk}", check=False)
    with pytest.raises(RequestRefused, match="507"):
        client.add_task(large)
    assert receiver.waits_for("The queue's disk is full")[0]["at"] - began < MINUTE
    assert client.task(kept.id) == kept
    chain.host(f"rm {small_disk}; systemctl restart jada-dashboard")
    assert wait_until(lambda: is_ready(client), MINUTE)
    client.cancel(client.add_task(large).id)
    client.cancel(kept.id)


def test_the_sender_is_small_while_it_waits(chain, receiver):
    pid = chain.host("systemctl show -P MainPID jada-notify.service").strip()
    rows = dict(
        line.split(":", 1) for line in chain.host(f"cat /proc/{pid}/smaps_rollup").splitlines()[1:] if ":" in line
    )
    pss = int(rows["Pss"].split()[0])
    assert pss < 30 * 1024, pss


def test_a_host_that_notifies_passes_verify(chain, receiver):
    chain.fab("notify")
    chain.host(f"sed -i.kept s,/$,/elsewhere, {SECRETS}/notify_targets")
    assert "since it has its address: `fab notify`" in chain.fab("verify", check=False).stdout
    chain.host(f"mv {SECRETS}/notify_targets.kept {SECRETS}/notify_targets")
    out = chain.fab("verify", check=False).stdout
    assert "test_every_notification_target" not in out

"""What waits reaches a user's web hook within a minute, under one id, whatever happens to sender and receiver."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.demo import ANSWER, TASKS
from local.process import wait_until
from wire.types import NewTask, Reply, State

pytestmark = [pytest.mark.root, pytest.mark.chain]
PORT = 8710
MINUTE = 60
SECRETS = "/home/jada/secrets"


class Receiver:
    """The web hook: what came, and what it answers."""

    def __init__(self, folder):
        self.folder = folder
        self.answers(200)

    def answers(self, what):
        (self.folder / "answer").write_text(str(what))

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
    made = Receiver(folder)
    program = [sys.executable, str(Path(__file__).with_name("receiver.py")), chain.site.cloud_address, str(PORT)]
    inside = ["nsenter", f"--net=/run/netns/{chain.site.edge}", "--", *program, str(folder)]
    (secrets / "notify_targets").write_text(f"hook = json://{chain.site.cloud_address}:{PORT}/\n")
    process = subprocess.Popen(inside)
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
        chain.fab("deploy")
        chain.host("systemctl restart jada-notify")
    finally:
        process.terminate()
        process.wait()


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
for end in (Exit.BUDGET, Exit.STUCK, Exit.FAULT):
    held = queue.claim(ClaimRequest(host="box"))
    queue.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=end, reason=f"It ended by {end.name}."))
"""


def test_a_task_that_lacks_money_one_that_is_stuck_and_a_failed_one_arrive(chain, client, receiver):
    chain.host("systemctl stop jada-agent")
    tasks = [client.add_task(NewTask(title=f"The worker's place {n}")) for n in range(3)]
    began = time.time()
    chain.as_user("jada", ENDS)
    for name in ("BUDGET", "STUCK", "FAULT"):
        rows = receiver.waits_for(f"It ended by {name}.")
        assert rows[0]["at"] - began < MINUTE
        assert len({row["id"] for row in rows}) == 1
    for task in tasks:
        client.cancel(task.id)
    chain.host("systemctl start jada-agent")


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
    assert [row["title"].split(" (")[0] for row in rows] == ["[jada] The dashboard is away"]
    assert len(receiver.got("The dashboard is away")) == 1


def test_a_service_that_dies_again_and_again_is_reported_and_still_tried(chain, receiver):
    folder = "/run/systemd/system/jada-agent.service.d"
    # The pause is the unit's own matter: what is reported is that its tries are used up.
    lines = r"[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=100ms\n"
    broken = f'printf "{lines}" > {folder}/broken.conf'
    chain.host(f"mkdir -p {folder}; {broken}; systemctl daemon-reload; systemctl restart jada-agent", check=False)
    receiver.waits_for("Failed: jada-agent.service", seconds=2 * MINUTE)
    chain.host(f"rm -r {folder}; systemctl daemon-reload")
    assert wait_until(lambda: chain.host("systemctl is-active jada-agent", check=False).strip() == "active", 60, 1)


def test_a_kill_a_receiver_that_drips_and_a_restart_keep_the_message_and_its_id(chain, client, receiver):
    receiver.answers("drip")
    task = client.add_task(TASKS[2])
    word = f"fab task.answer {task.id}"
    receiver.waits_for(word, seconds=180)
    chain.host("systemctl kill --signal=KILL jada-notify.service")
    receiver.waits_for(word, 2)
    receiver.answers(200)
    chain.host("systemctl restart jada-notify.service")
    assert wait_until(lambda: client.notifications().unsent == 0, MINUTE)
    assert len({row["id"] for row in receiver.got(word)}) == 1
    client.cancel(task.id)


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

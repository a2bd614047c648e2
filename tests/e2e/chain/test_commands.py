"""Commands on tasks as an operator types them, while the worker stands still so that the tasks do."""

import contextlib
import signal
import subprocess

from wire.types import ClaimRequest, Exit, NewTask, SessionEnd, State


@contextlib.contextmanager
def worker_stopped(chain):
    chain.host("systemctl stop jada-agent")
    try:
        yield
    finally:
        chain.host("systemctl start jada-agent")


def test_a_failed_task_is_tried_again_and_cancelled_with_its_subtask(chain):
    with worker_stopped(chain), chain.dashboard() as client:
        task = client.add_task(NewTask(title="tried again", priority=9))
        held = client.claim(ClaimRequest(host="by-hand"))
        assert held.task.id == task.id
        child = client.add_task(NewTask(title="made by it", parent=task.id))
        client.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit.FAULT, reason="by hand"))
        assert "queued" in chain.fab("task.retry", task.id, "--afresh").stdout
        again = client.claim(ClaimRequest(host="by-hand"))
        assert (again.task.id, again.session.new) == (task.id, True)
        assert "cancelled" in chain.fab("task.cancel", task.id).stdout
        assert client.task(child.id).state is State.CANCELLED
        refused = chain.fab("task.retry", task.id, check=False)
    assert refused.returncode != 0
    assert "only a failed one can be tried again" in refused.stdout + refused.stderr


def test_ctrl_c_stops_watching_and_the_task_goes_on(chain):
    with worker_stopped(chain), chain.dashboard() as client:
        task = client.add_task(NewTask(title="watched", not_before="2098-01-01T00:00:00Z"))
        with subprocess.Popen(
            ["fab", "task.tail", task.id],
            env=chain.env,
            cwd=chain.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background of a script ignores SIGINT, and so would a child.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        ) as watching:
            # After what takes longer than two seconds on a busy machine, which is said before.
            assert any(f"watching {task.id}" in line for line in watching.stderr)
            watching.send_signal(signal.SIGINT)
            out, err = watching.communicate(timeout=60)
        assert (watching.returncode, out) == (130, "")
        assert f"no longer watched; `fab task.show {task.id}` says how it stands" in err
        assert "Traceback" not in err
        assert client.task(task.id).state is State.QUEUED
        client.cancel(task.id)


def test_a_copied_fab_says_and_ends_as_a_started_one(chain):
    """The tests of the chain start most of its commands so."""
    for words in (("help", "deploy"), ("task.lst",), ("--dry", "status")):
        copied, started = chain.fab(*words, check=False), chain.run("fab", *words, check=False)
        assert copied.stdout + copied.stderr
        assert (copied.returncode, copied.stdout, copied.stderr) == (
            started.returncode,
            started.stdout,
            started.stderr,
        )

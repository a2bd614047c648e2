"""Commands on tasks as an operator types them, while the worker stands still so that the tasks do."""

import contextlib

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

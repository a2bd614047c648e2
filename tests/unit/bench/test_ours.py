"""The pairs that are measured are pairs: each takes one task from queued to done."""

import pytest

from bench import ours
from wire.types import State


def test_so_many_pairs_complete_so_many_tasks(tmp_path):
    steps = []
    ours.fill(tmp_path / "filled", 3, lambda: steps.append(1))
    ours.copy(tmp_path / "filled", tmp_path / "copied")
    with ours.queue(tmp_path / "copied") as queue:
        ours.Worker(queue).work(2)
        assert sorted(record.task.state for record in queue.store.tasks()) == [State.DONE, State.DONE, State.QUEUED]
    assert len(steps) == 3


def test_an_empty_queue_ends_the_measurement(tmp_path):
    with ours.queue(tmp_path / "empty") as queue, pytest.raises(RuntimeError, match="the queue is empty"):
        ours.Worker(queue).work(1)


@pytest.mark.process
def test_over_http_it_is_the_program_that_answers(tmp_path):
    ours.fill(tmp_path / "state", 1, lambda: None)
    with ours.dashboard(tmp_path, tmp_path / "state") as client:
        ours.Worker(client).work(1)
        assert [task.state for task in client.tasks()] == [State.DONE]

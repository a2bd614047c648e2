"""Which process of a run has which tests."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.division import CHAIN, DEMO, FLEET, LONGEST, OTHER_HOST, PROVISION, WHOLE, rank, shared
from tests.scheduler import Scheduler

ROOT = Path(__file__).parents[2]
CHAINED = ("audit", "ci", "doctor", "notify", "replaced", "work")
TESTS = [
    f"{PROVISION}/test_deploy.py::test_one",
    f"{PROVISION}/test_proof.py::test_two",
    f"{DEMO}::test_it_ends",
    *(f"{CHAIN}/test_{name}.py::test_{n}" for name in CHAINED for n in range(3)),
    f"{FLEET}::test_a_release",
    "tests/e2e/sync/test_told.py::test_one",
    *(f"tests/unit/test_{name}.py::test_{n}" for name in ("a", "b", "c", "d") for n in range(3)),
]


class Process:
    """A process of pytest: takes what it is given, and ends when it is told to."""

    def __init__(self, name, scheduler):
        self.gateway = SimpleNamespace(id=name)
        self.scheduler, self.given, self.shutting_down = scheduler, [], False

    def send_runtest_some(self, indices):
        self.given += indices

    def shutdown(self):
        self.shutting_down = True

    @property
    def files(self):
        return list(dict.fromkeys(shared(self.scheduler.collection[index]) for index in self.given))


class Run:
    """A run of so many processes, of which each step ends the test of the one whose turn it is."""

    def __init__(self, processes, tests=TESTS):
        option = SimpleNamespace(loadscopereorder=False)
        config = SimpleNamespace(option=option, getvalue=lambda _: [f"{processes}*popen"])
        self.scheduler = Scheduler(config)
        self.processes = [Process(f"gw{n}", self.scheduler) for n in range(processes)]
        self.done = dict.fromkeys(self.processes, 0)
        for process in self.processes:
            self.scheduler.add_node(process)
            self.scheduler.add_node_collection(process, sorted(tests, key=rank))
        self.scheduler.schedule()

    def step(self, process):
        """End a process's test, if it has one whose next it knows."""
        left = len(process.given) - self.done[process]
        if left > 1 or (left and process.shutting_down):
            self.scheduler.mark_test_complete(process, process.given[self.done[process]])
            self.done[process] += 1
            return True
        return False

    def to_its_end(self):
        while sum(self.step(process) for process in self.processes):
            pass

    @property
    def with_a_cloud(self):
        return [process for process in self.processes if any(file.startswith(CHAIN) for file in process.files)]


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6, 12])
def test_each_test_runs_once_and_each_process_ends(processes):
    run = Run(processes)
    run.to_its_end()
    ran = sorted(index for process in run.processes for index in process.given)
    assert ran == list(range(len(TESTS)))
    assert all(process.shutting_down for process in run.processes)


@pytest.mark.parametrize(("processes", "clouds"), [(1, 1), (2, 1), (4, 2), (6, 3)])
def test_half_of_the_processes_make_a_cloud(processes, clouds):
    run = Run(processes)
    run.to_its_end()
    assert len(run.with_a_cloud) == clouds


def test_what_takes_longest_begins_at_once_each_in_a_process_of_its_own():
    run = Run(6)
    assert [process.files[0] for process in run.processes] == [
        PROVISION, shared(DEMO), f"{CHAIN}/test_replaced.py", f"{CHAIN}/test_notify.py", shared(OTHER_HOST[0]), FLEET,
    ]  # fmt: skip


@pytest.mark.parametrize("start", [*LONGEST, *OTHER_HOST])
def test_what_is_said_to_take_long_is_there(start):
    assert (ROOT / start).exists()


def test_what_shares_a_host_or_a_file_stays_in_one_process():
    run = Run(4)
    run.to_its_end()
    for name in {shared(test) for test in TESTS}:
        assert len([process for process in run.processes if name in process.files]) == 1


def test_what_looks_at_a_whole_demo_runs_where_one_was_made_the_demos_own_tests_first():
    run = Run(6)
    run.to_its_end()
    (process,) = [process for process in run.processes if shared(DEMO) in process.files]
    given = [run.scheduler.collection[index] for index in process.given]
    assert [test for test in given if test.startswith(WHOLE)] == given[:4]
    assert given[0].startswith(DEMO)


def test_a_process_without_a_cloud_ends_rather_than_make_one_late():
    run = Run(2)
    while run.step(run.processes[0]):
        pass
    assert not any(file.startswith(CHAIN) for file in run.processes[0].files)
    assert run.processes[0].shutting_down
    assert not run.processes[1].shutting_down


def test_of_the_chain_alone_more_processes_than_clouds_end_at_once():
    run = Run(6, [test for test in TESTS if test.startswith(CHAIN)])
    assert [process.shutting_down for process in run.processes] == [False] * 3 + [True] * 3
    run.to_its_end()
    assert sum(len(process.given) for process in run.processes) == 19


def test_where_each_process_with_a_cloud_crashed_another_takes_the_chain():
    run = Run(2)
    crashed = run.scheduler.remove_node(run.processes[1])
    assert crashed.startswith(DEMO)
    run.processes[1:] = []
    run.to_its_end()
    assert len(run.processes[0].given) >= len(TESTS) - 1

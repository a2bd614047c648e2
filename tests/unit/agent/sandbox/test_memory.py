"""How often memory ran out, as the kernel counts it."""

import pytest

from agent.sandbox.memory import Kills

V2 = {"cgroup": "0::/system.slice/jada-agent.service\n", "file": "system.slice/jada-agent.service/memory.events"}
V1 = {
    "cgroup": "9:cpu,cpuacct:/x\n4:memory:/system.slice/jada-agent.service\n0::/y\n",
    "file": "memory/system.slice/jada-agent.service/memory.oom_control",
}


def kills(tmp_path, text, cgroup, file):
    (tmp_path / "own").write_text(cgroup)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    return Kills(tmp_path / "own", tmp_path)()


@pytest.mark.parametrize("kernel", [V1, V2])
def test_the_units_own_counter_is_read(tmp_path, kernel):
    assert kills(tmp_path, "oom 5\noom_kill 3\noom_group_kill 1\n", **kernel) == 3


def test_a_machine_without_the_counter_counts_nothing(tmp_path):
    assert Kills(tmp_path / "none", tmp_path)() == 0
    assert kills(tmp_path, "low 0\n", **V2) == 0

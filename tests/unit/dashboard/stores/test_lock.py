import os
from pathlib import Path

import pytest

from dashboard.stores.lock import AlreadyUsed, held


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with held(tmp_path):
        with pytest.raises(AlreadyUsed, match="stop jada-dashboard first"), held(tmp_path):
            pass
        with pytest.raises(AlreadyUsed), held(tmp_path):
            pass  # the one who was refused let go of nothing
    with held(tmp_path):
        pass


def test_a_copy_of_its_lock_in_a_program_that_just_starts_keeps_no_one_out(tmp_path):
    with held(tmp_path):
        (lock,) = [int(fd.name) for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd) == str(tmp_path)]
        copy = os.dup(lock)  # what a fork does
    try:
        with held(tmp_path):
            pass
    finally:
        os.close(copy)

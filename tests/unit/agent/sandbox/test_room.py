"""When a workspace is walked, and what it then counts."""

from agent.sandbox.room import Room, held


class Disk:
    """A disk with so many bytes free, and a workspace that holds some; `walks` counts how often that was asked."""

    def __init__(self):
        self.free, self.held, self.walks = 1000, 0, 0
        self.room = Room(100, self._walk, lambda: self.free)

    def _walk(self):
        self.walks += 1
        return self.held

    def writes(self, number):
        self.held += number
        self.free -= number


def test_it_is_walked_once_and_then_only_when_the_disk_has_lost_what_is_left_of_the_bound():
    disk = Disk()
    assert [disk.room.is_used_up() for _ in range(3)] == [False] * 3
    disk.writes(100)
    assert (disk.room.is_used_up(), disk.walks) == (False, 1)
    disk.writes(1)
    assert (disk.room.is_used_up(), disk.walks) == (True, 2)


def test_what_others_write_is_not_its_own():
    disk = Disk()
    disk.room.is_used_up()
    disk.free = 10
    assert (disk.room.is_used_up(), disk.walks) == (False, 2)


def test_one_that_is_used_up_is_so_until_something_is_removed():
    disk = Disk()
    disk.writes(101)
    assert (disk.room.is_used_up(), disk.room.is_used_up()) == (True, True)
    disk.writes(-1)
    assert not disk.room.is_used_up()


def test_all_files_count_and_empty_ones_too_and_what_links_lead_to_does_not(tmp_path):
    folder = tmp_path / "workspace"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(bytes(10_000_000))
    (folder / "link").symlink_to(tmp_path / "outside")
    for n in range(8):
        (folder / "sub" / str(n)).touch()
    (folder / "sub" / "large").write_bytes(bytes(1_000_000))
    assert 10 * 4096 + 1_000_000 <= held(folder) < 2_000_000

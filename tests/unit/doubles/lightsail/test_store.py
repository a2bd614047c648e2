import pytest

from doubles.lightsail.records import Instance, Port, StaticIp, Tag
from doubles.lightsail.store import Store

IP = StaticIp("fixed", "id-1", 1.5, "10.77.200.1")
BOX = Instance(
    "box", "id-2", 2.5, 1, "us-east-1a", "debian_12", "micro_3_0", (Port(22, 22, "tcp"),), tags=(Tag("a", "b"),)
)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.sqlite")
    yield store
    store.close()


def test_a_record_comes_back_as_it_was_from_another_opening(store, tmp_path):
    store.put(BOX)
    other = Store(tmp_path / "store.sqlite")
    assert other.find(Instance, "box") == BOX
    other.close()


def test_records_of_a_kind_come_by_name_and_are_dropped_by_it(store):
    for name in ("b", "a"):
        store.put(StaticIp(name, name, 0.0, ""))
    store.put(BOX)
    assert [ip.name for ip in store.all(StaticIp)] == ["a", "b"]
    store.drop(StaticIp("a", "a", 0.0, ""))
    assert [ip.name for ip in store.all(StaticIp)] == ["b"]


def test_a_transaction_that_fails_changes_nothing(store):
    store.put(IP)

    def fail():
        with store.transaction():
            store.drop(IP)
            store.put(BOX)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert (store.all(StaticIp), store.all(Instance)) == ([IP], [])


def test_counters_count_on(store):
    assert [store.next("a"), store.next("a"), store.next("b")] == [1, 2, 1]

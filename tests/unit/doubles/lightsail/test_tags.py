import pytest

from doubles.lightsail.calls.tags import merged, read
from doubles.lightsail.errors import AwsError
from doubles.lightsail.records import Tag


def test_new_tags_lie_over_old_ones_in_the_order_of_keys():
    assert merged((Tag("b", "1"), Tag("a", "1")), (Tag("b", "2"),)) == (Tag("a", "1"), Tag("b", "2"))


def test_a_tag_may_lack_a_value_but_not_a_key():
    assert read([{"key": "label"}]) == (Tag("label", ""),)
    with pytest.raises(AwsError, match="key"):
        read([{"value": "1"}])


def test_there_are_fifty_tags_at_most():
    assert len(merged((), [Tag(str(n)) for n in range(50)])) == 50
    with pytest.raises(AwsError, match="51"):
        merged((), [Tag(str(n)) for n in range(51)])

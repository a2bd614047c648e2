import pytest

from doubles.lightsail.claim import Claim
from doubles.lightsail.errors import AwsError


@pytest.fixture
def edge(tmp_path):
    (tmp_path / "jada-edge").touch()
    return tmp_path / "jada-edge"


def test_a_site_belongs_to_one_until_it_is_released(edge):
    first, second = Claim(), Claim()
    first.take(edge)
    first.take(edge)
    with pytest.raises(AwsError, match="jada-edge belongs to another local Lightsail"):
        second.take(edge)
    assert (first.held, second.held) == (True, False)
    first.release()
    second.take(edge)
    second.release()

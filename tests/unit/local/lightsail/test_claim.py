import pytest

from local.lightsail.claim import Claim
from local.lightsail.refusal import Refused


def test_a_site_belongs_to_one_until_it_is_released(tmp_path):
    first, second = Claim(tmp_path), Claim(tmp_path)
    first.take("jada")
    first.take("jada")
    with pytest.raises(Refused, match="another local Lightsail"):
        second.take("jada")
    assert (first.held, second.held) == (True, False)
    first.release()
    second.take("jada")
    second.release()


def test_sites_of_other_names_are_free(tmp_path):
    first, second = Claim(tmp_path), Claim(tmp_path)
    first.take("jada")
    second.take("jadat")
    assert second.held
    first.release()
    second.release()

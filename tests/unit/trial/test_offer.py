import tomllib

import pytest

from trial.offer import PLANS, Bill, Offer, TrialRefused, hour, require_yes

OFFER = Offer(
    host="trial-1", account="access key …ABCD", region="us-east-1", bundle="micro_3_0", usd=0.5,
    model="claude-sonnet-5-5", spreadsheet="sheet-of-mine", worksheet="Bookings",
)  # fmt: skip


def test_an_offer_names_box_account_sheet_and_the_most_it_costs():
    text = "\n".join(OFFER.lines())
    for word in (
        "trial-1",
        "micro_3_0",
        "us-east-1",
        "…ABCD",
        "$7.00 a month",
        "at most $0.50",
        "sheet-of-mine",
        "$0.51",
    ):
        assert word in text


@pytest.mark.parametrize(("seconds", "box"), [(60, "$0.0094"), (3600, "$0.0094"), (3601, "$0.0188")])
def test_each_begun_hour_of_the_box_is_billed(seconds, box):
    assert f"= {box}" in next(Bill(seconds, 0).lines("micro_3_0"))


def test_a_bill_adds_the_model():
    assert "together: $0.1094" in "\n".join(Bill(1, 0.1).lines("micro_3_0"))


def test_the_bill_of_a_trial_that_was_cut_off_is_a_lower_bound():
    text = "\n".join(Bill(1, 0.1, whole=False).lines("micro_3_0"))
    assert "model: at least $0.1000" in text
    assert "together: at least $0.1094" in text


def test_a_plan_of_another_region_has_the_same_price_and_an_unknown_one_is_refused():
    assert hour("micro_3_1") == hour("micro_3_0")
    with pytest.raises(TrialRefused, match="no price is known for the plan 'vast_3_0'"):
        hour("vast_3_0")


def test_every_plan_that_a_box_may_have_has_a_price():
    plans = tomllib.loads(PLANS.read_text())
    assert set(plans) == {"nano", "micro", "small", "medium", "large", "xlarge", "2xlarge"}


@pytest.mark.parametrize("word", [None, "", "y", "YES", "yes please", "1"])
def test_only_the_word_itself_is_a_yes(word):
    with pytest.raises(TrialRefused, match="nothing was made"):
        require_yes(word)
    require_yes("yes")

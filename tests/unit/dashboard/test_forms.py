import pytest

from dashboard import forms
from dashboard.forms import Form, Upload
from wire.types import Reply
from wire.values import Invalid


def test_dollars_are_exact():
    assert forms.reply(Form({"dollars": "2.55", "sessions": "1"})) == Reply(sessions=1, usd_micros=2_550_000)


def test_what_is_left_empty_grants_nothing():
    assert forms.reply(Form({"text": "", "dollars": "", "sessions": " "})) == Reply()


@pytest.mark.parametrize("text", ["-1", "free", "NaN", "1e9", "Infinity", "1,5"])
def test_an_absurd_amount_is_refused_by_its_fields_name(text):
    with pytest.raises(Invalid) as refused:
        forms.reply(Form({"dollars": text}))
    assert forms.complaint(refused.value, {}, "answer")[0] == "dollars"


def test_the_contracts_names_become_the_forms():
    complaints = {
        forms.complaint(Invalid(name, "x"), {}, "add")[0]
        for name in ("budget.sessions", "usd_micros", "context[0].content")
    }
    assert complaints == {"sessions", "dollars", "files"}


def test_a_name_that_can_not_travel_says_what_would():
    form = Form({"title": "t", "priority": "5", "sessions": "1", "dollars": "1"}, [Upload("März.csv", b"")])
    with pytest.raises(Invalid, match=r"rename 'März\.csv'"):
        forms.new_task(form)

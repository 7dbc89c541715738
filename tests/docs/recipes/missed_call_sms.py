import pytest

from django_hoiio.exceptions import InsufficientCredit, ServerError
from django_hoiio.models import ReceiverFailure
from django_hoiio.recovery.manual import retry_failed

from .models import Apology

MISSED = {"call_state": "ended", "duration": "0", "from_": "+6591234567", "date": None}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        pytest.param("ivr_ended", {"duration": "1"}, id="answered"),
        pytest.param("ivr_answer", {"call_state": "ringing"}, id="not over"),
        pytest.param("ivr_ended", {"from_": "private"}, id="withheld"),
        pytest.param("ivr_ended", {"date": "2012-10-30 12:20:50"}, id="long ago"),
        pytest.param("call_ended", {"call_status_dest1": "unanswered", "from_": None}, id="outgoing"),
        pytest.param("ivr_ended", {"txn_ref": None, "from_": None}, id="of no call"),
    ],
)
def test_other_calls_get_no_sms(hoiio, kind, changes):
    hoiio.post(kind, **{**MISSED, **changes})
    assert hoiio.sent == []


def test_repeated_notification_gets_no_second_sms(hoiio):
    hoiio.faults(twice=True)
    hoiio.call().hang_up()
    assert len(hoiio.sent) == 1


@pytest.mark.django_db(transaction=True)
def test_refused_sms_is_sent_by_a_retry(hoiio):
    hoiio.allow_failures()
    hoiio.refuse("sms/send", "error_insufficient_credit")
    hoiio.call().hang_up()
    assert ([type(each) for each in hoiio.failures], Apology.objects.count()) == ([InsufficientCredit], 0)
    hoiio.accept("sms/send")
    # As the action of the admin does.
    retry_failed(ReceiverFailure.objects.all())
    assert (len(hoiio.sent), Apology.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_sms_that_may_have_been_sent_is_never_sent_again(hoiio):
    hoiio.allow_failures()
    hoiio.refuse("sms/send", "error_internal_server_error")
    hoiio.faults(twice=True)
    hoiio.call().hang_up()
    hoiio.wait(minutes=10)
    hoiio.recover()
    assert (len(hoiio.sent), ServerError in map(type, hoiio.failures)) == (1, False)

import pytest
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory

from .models import Lead
from .views import AGENT, call_lead


@pytest.fixture
def request_(admin_user):
    made = RequestFactory().post("/")
    made.user = admin_user
    return made


def test_refusal_of_hoiio_is_shown(hoiio, request_):
    lead = Lead.objects.create(number="+6591234567")
    hoiio.refuse("voice/call", "error_insufficient_credit")
    response = call_lead(request_, lead.pk)
    assert (response.status_code, "credit" in response.text) == (502, True)
    # The agent first.
    assert (hoiio.sent[0].dest1, hoiio.sent[0].dest2) == (AGENT, "+6591234567")


def test_user_without_the_permission_calls_nobody(hoiio, request_, django_user_model):
    request_.user = django_user_model.objects.create_user("guest")
    lead = Lead.objects.create(number="+6591234567")
    with pytest.raises(PermissionDenied):
        call_lead(request_, lead.pk)
    assert hoiio.sent == []


def test_get_calls_nobody(hoiio, admin_user):
    request = RequestFactory().get("/")
    request.user = admin_user
    assert (call_lead(request, 1).status_code, hoiio.sent) == (405, [])

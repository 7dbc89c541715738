"""The cost of the rows alone: the rows of django_hoiio, written with two plain statements without its rules."""

from __future__ import annotations

import json
import uuid
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from django_hoiio.models import Sms
from django_hoiio.recording.merging import STAMP_LENGTH

from .upserts import insert, upsert

_NOTIFICATION: dict[str, Any] = {
    "kind": "sms_status",
    "route": "sms",
    "account": "default",
    "session": None,
    "pass_on": '{"username": "bob"}',
    "problems": "{}",
    "unverified_params": "[]",
    "query": "",
    "remote_addr": "127.0.0.1",
    "verified_by": "url",
    "source": "webhook",
    "claimed_until": None,
    "receivers": "[]",
}
_OF_THE_REQUEST = ("uuid", "received_at", "dispatched_at", "txn_ref", "params", "headers", "body")
_INSERT = insert("django_hoiio_notification", (*_NOTIFICATION, *_OF_THE_REQUEST))

_SMS: dict[str, Any] = {
    "account": "default",
    "direction": "outgoing",
    "is_final": True,
    "part": "",
    "from_number": "",
    "to_number": "",
    "status": "",
    "bulk_txn_ref": "",
    "msg": "",
    "stamps": "3" * STAMP_LENGTH * len(Sms.reported),
}
_SAID = ("txn_ref", "sms_status", "tag", "dest", "date", "split_count", "currency", "rate", "debit")


@cache
def _upsert(vendor: str) -> str:
    columns = (*_SMS, *_SAID, "remote_number", "remote_suffix", "created_at", "updated_at")
    return upsert("django_hoiio_sms", columns, ("txn_ref", "account", "part"), vendor)


@csrf_exempt
def raw(request: HttpRequest) -> HttpResponse:
    """Write both rows with all of their columns, in one transaction."""
    said = request.POST.dict()
    now = str(timezone.now().replace(tzinfo=None))
    headers = {"Content-Type": request.META["CONTENT_TYPE"], "User-Agent": request.META["HTTP_USER_AGENT"]}
    of_the_request = (
        *(uuid.uuid4().hex, now, now, said["txn_ref"], json.dumps(said), json.dumps(headers)),
        request.body,
    )
    dest = said["dest"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT, (*_NOTIFICATION.values(), *of_the_request))
        cursor.execute(
            _upsert(connection.vendor), (*_SMS.values(), *(said[name] for name in _SAID), dest, dest[-8:], now, now)
        )
    return HttpResponse()

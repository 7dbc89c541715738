"""Views that a project might have written itself to store the status of an SMS: the other candidates."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from django_hoiio.parsing.parameters import HOIIO_TIME

from .models import PlainNotification, PlainSms
from .upserts import insert, upsert


@csrf_exempt
def empty(request: HttpRequest) -> HttpResponse:
    """Do nothing, to measure Django itself."""
    return HttpResponse()


_SAID = ("txn_ref", "sms_status", "tag", "dest", "date", "split_count", "currency", "rate", "debit")
_INSERT = insert("benchmarks_plainnotification", ("received_at", "txn_ref", "kind", "query", "body"))


@cache
def _upsert(vendor: str) -> str:
    return upsert("benchmarks_plainsms", (*_SAID, "updated_at"), ("txn_ref",), vendor)


@csrf_exempt
def raw(request: HttpRequest) -> HttpResponse:
    """Store the notification and the state of the SMS with two SQL statements in one transaction."""
    said = request.POST
    now = str(timezone.now().replace(tzinfo=None))
    query = request.META["QUERY_STRING"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT, [now, said["txn_ref"], "sms_status", query, request.body.decode()])
        cursor.execute(_upsert(connection.vendor), [*(said[name] for name in _SAID), now])
    return HttpResponse()


@csrf_exempt
def orm(request: HttpRequest) -> HttpResponse:
    """Use the ORM in the usual way."""
    said = request.POST
    now = timezone.now()
    with transaction.atomic():
        PlainNotification.objects.create(
            received_at=now,
            txn_ref=said["txn_ref"],
            kind="sms_status",
            query=request.META["QUERY_STRING"],
            body=request.body.decode(),
        )
        PlainSms.objects.update_or_create(
            txn_ref=said["txn_ref"],
            defaults={
                "sms_status": said["sms_status"],
                "tag": said["tag"],
                "dest": said["dest"],
                "date": datetime.strptime(said["date"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=HOIIO_TIME),
                "split_count": int(said["split_count"]),
                "currency": said["currency"],
                "rate": Decimal(said["rate"]),
                "debit": Decimal(said["debit"]),
                "updated_at": now,
            },
        )
    return HttpResponse()

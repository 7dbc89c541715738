"""Views that a project might have written itself to store the status of an SMS, and the user of the read API."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from django_hoiio.parsing.parameters import HOIIO_TIME

from .models import PlainNotification, PlainSms


class Reader(BaseAuthentication):
    """Authenticates a user with all permissions, without a query."""

    def authenticate(self, request: Request) -> tuple[Any, None]:
        return get_user_model()(is_active=True, is_staff=True, is_superuser=True), None


_CONFLICT = {
    "sqlite": (" ON CONFLICT ({}) DO UPDATE SET ", "{0} = excluded.{0}"),
    "postgresql": (" ON CONFLICT ({}) DO UPDATE SET ", "{0} = excluded.{0}"),
    "mysql": (" ON DUPLICATE KEY UPDATE ", "{0} = VALUES({0})"),
}


def _insert(table: str, columns: Sequence[str]) -> str:
    """Return an INSERT with a placeholder for each column."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"


def _upsert(table: str, columns: Sequence[str], key: Sequence[str], vendor: str) -> str:
    """Return an INSERT that overwrites the other columns if the key exists."""
    conflict, assignment = _CONFLICT[vendor]
    assignments = ", ".join(assignment.format(column) for column in columns if column not in key)
    return _insert(table, columns) + conflict.format(", ".join(key)) + assignments


@csrf_exempt
def empty(request: HttpRequest) -> HttpResponse:
    """Do nothing, to measure Django itself."""
    return HttpResponse()


# The parameters of a report that are columns.
_REPORTED = ("txn_ref", "sms_status", "tag", "dest", "date", "split_count", "currency", "rate", "debit")
_INSERT_PLAIN = _insert("benchmarks_plainnotification", ("received_at", "txn_ref", "kind", "query", "body"))


@cache
def _upsert_plain(vendor: str) -> str:
    return _upsert("benchmarks_plainsms", (*_REPORTED, "updated_at"), ("txn_ref",), vendor)


@csrf_exempt
def raw(request: HttpRequest) -> HttpResponse:
    """Store the notification and the state of the SMS with two SQL statements in one transaction."""
    params = request.POST
    now = str(timezone.now().replace(tzinfo=None))
    query = request.META["QUERY_STRING"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT_PLAIN, [now, params["txn_ref"], "sms_status", query, request.body.decode()])
        cursor.execute(_upsert_plain(connection.vendor), [*(params[name] for name in _REPORTED), now])
    return HttpResponse()


@csrf_exempt
def orm(request: HttpRequest) -> HttpResponse:
    """Use the ORM in the usual way."""
    params = request.POST
    now = timezone.now()
    with transaction.atomic():
        PlainNotification.objects.create(
            received_at=now,
            txn_ref=params["txn_ref"],
            kind="sms_status",
            query=request.META["QUERY_STRING"],
            body=request.body.decode(),
        )
        PlainSms.objects.update_or_create(
            txn_ref=params["txn_ref"],
            defaults={
                "sms_status": params["sms_status"],
                "tag": params["tag"],
                "dest": params["dest"],
                "date": datetime.strptime(params["date"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=HOIIO_TIME),
                "split_count": int(params["split_count"]),
                "currency": params["currency"],
                "rate": Decimal(params["rate"]),
                "debit": Decimal(params["debit"]),
                "updated_at": now,
            },
        )
    return HttpResponse()


# The columns of django_hoiio that are the same in every row.
_NOTIFICATION: dict[str, Any] = {
    "kind": "sms_status",
    "route": "sms",
    "account": "default",
    "session": None,
    "pass_on": '{"username": "bob"}',
    "block": "{}",
    "problems": "{}",
    "unverified_params": "[]",
    "query": "",
    "remote_addr": "127.0.0.1",
    "verified_by": "url",
    "source": "webhook",
    "claimed_until": None,
    "receivers": "[]",
    "version": 4 * 10**16,
    "state_error": "",
    "state_attempts": 0,
}
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
    "version": 4 * 10**16,
    "history_is_whole": True,
}
_INSERT_NOTIFICATION = _insert(
    "django_hoiio_notification",
    (*_NOTIFICATION, "uuid", "received_at", "dispatched_at", "txn_ref", "params", "headers", "body"),
)


@cache
def _upsert_sms(vendor: str) -> str:
    columns = (*_SMS, *_REPORTED, "remote_number", "remote_suffix", "created_at", "updated_at")
    return _upsert("django_hoiio_sms", columns, ("txn_ref", "account", "part"), vendor)


@csrf_exempt
def same_tables(request: HttpRequest) -> HttpResponse:
    """Write both rows of django_hoiio with all of their columns, but without its rules, like `raw`."""
    params = request.POST.dict()
    now = str(timezone.now().replace(tzinfo=None))
    headers = {"Content-Type": request.META["CONTENT_TYPE"], "User-Agent": request.META["HTTP_USER_AGENT"]}
    of_the_request = (
        *(uuid.uuid4().hex, now, now, params["txn_ref"], json.dumps(params), json.dumps(headers)),
        request.body,
    )
    dest = params["dest"]
    reported = (params[name] for name in _REPORTED)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT_NOTIFICATION, (*_NOTIFICATION.values(), *of_the_request))
        cursor.execute(_upsert_sms(connection.vendor), (*_SMS.values(), *reported, dest, dest[-8:], now, now))
    return HttpResponse()

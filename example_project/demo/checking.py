"""Compares what was sent with what is kept and what was heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms, Transaction

from .posting import Post


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What stands in the database."""

    notifications: Sequence[Notification]
    transactions: Sequence[Transaction]
    failures: Sequence[ReceiverFailure]


def kept_since(moment: datetime) -> Kept:
    """What has come or changed since; an earlier run of the demo may have left the like of it."""
    return Kept(
        notifications=list(Notification.objects.filter(received_at__gte=moment)),
        transactions=[
            row for model in (Call, Fax, Sms) for row in model._default_manager.filter(updated_at__gte=moment)
        ],
        failures=list(ReceiverFailure.objects.filter(failed_at__gte=moment)),
    )


def differences(posts: Sequence[Post], expected: Sequence[Transaction], kept: Kept) -> list[str]:
    """Say, a sentence each, where what is kept or was heard is not what was sent; nothing where all is well."""
    return [
        *_in_answers(posts),
        *_in_notifications(posts, kept.notifications),
        *_in_transactions(expected, kept.transactions),
        *(f"The receiver {failure.receiver} of {failure.signal} failed." for failure in kept.failures),
    ]


def _in_answers(posts: Sequence[Post]) -> Iterator[str]:
    for post in posts:
        if post.status != HTTPStatus.OK:
            yield f"{post.sample.name!r} was answered with {post.status}, not 200."
        if post.heard != post.sample.facts:
            yield f"{post.sample.name!r} was heard as {_listed(post.heard)}, not as {_listed(post.sample.facts)}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(map(str, names)) or "nothing"


def _in_notifications(posts: Sequence[Post], notifications: Sequence[Notification]) -> Iterator[str]:
    for post in posts:
        sample = post.sample
        wire = (sample.route, sample.query, sample.body.encode())
        kinds = [row.kind for row in notifications if (row.route, row.query, bytes(row.body)) == wire]
        if len(kinds) != 1:
            yield f"{sample.name!r} is kept {len(kinds)} times, not once."
        elif kinds[0] != sample.facts[0]:
            yield f"{sample.name!r} is kept as {kinds[0]}, not as {sample.facts[0]}."
    if len(notifications) != len(posts):
        yield f"{len(notifications)} notifications are kept, not {len(posts)}."
    for notification in notifications:
        if notification.dispatched_at is None:
            yield f"The notification {notification.pk} is not marked as told."


def _in_transactions(expected: Sequence[Transaction], transactions: Sequence[Transaction]) -> Iterator[str]:
    for row in expected:
        found = [other for other in transactions if (type(other), other.txn_ref) == (type(row), row.txn_ref)]
        if len(found) != 1:
            yield f"{_named(row)} is kept {len(found)} times, not once."
            continue
        actual = _values(found[0])
        for name, value in _values(row).items():
            if actual[name] != value:
                yield f"{_named(row)} has {name} {actual[name]!r}, not {value!r}."
    if len(transactions) != len(expected):
        yield f"{len(transactions)} calls, faxes and SMS are kept, not {len(expected)}."


def _named(row: Transaction) -> str:
    return f"{type(row).__name__} {row}"


def _values(row: Transaction) -> dict[str, Any]:
    """All that notifications have told of it, by field."""
    return {name: getattr(row, name) for name in (*row.key, *row.told)}

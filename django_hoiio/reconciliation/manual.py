"""Refresh the status of rows that a user selected in the admin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter

from django.core.exceptions import ImproperlyConfigured

from django_hoiio.client import HoiioClient
from django_hoiio.enums import Channel
from django_hoiio.exceptions import HoiioError
from django_hoiio.models import Transaction
from django_hoiio.recovery.batches import TimeBudget

from .diff import MODEL_OF_CHANNEL
from .overdue import MAX_FAILURES, poll
from .reader import ApiReader, ReconciliationResult, shared_budget

# Seconds. No request starts later. The last one may be retried by the client and still ends within the 30 seconds after
# which web servers often end a request.
TIME_LIMIT = 8.0
TIMEOUTS = (3.0, 5.0)

CHANNELS = {model: channel for channel, model in MODEL_OF_CHANNEL.items()}


def refresh(model: type[Transaction], names: Iterable[tuple[str, str]]) -> tuple[ReconciliationResult, bool]:
    """Refresh transactions from Hoiio, given by account and txn_ref. Return the result, and True if some were left.

    `RECONCILE_REQUESTS_PER_MINUTE` applies per process and account. The result lists the accounts that exceeded it or
    cannot be used. Raises `django.db.Error`.
    """
    result, time_budget = ReconciliationResult(), TimeBudget(TIME_LIMIT)
    # Several rows may share a txn_ref.
    for account, together in groupby(sorted(set(names)), key=itemgetter(0)):
        failure = _failure_of(account, CHANNELS[model], [txn_ref for _, txn_ref in together], time_budget, result)
        if failure is not None:
            result.failures.append(f"Account {account!r}: {failure}")
    return result, time_budget.is_cut


def _failure_of(
    account: str, channel: Channel, references: Sequence[str], time_budget: TimeBudget, result: ReconciliationResult
) -> Exception | None:
    try:
        with HoiioClient(account, timeouts=TIMEOUTS) as client:
            _poll_each(
                ApiReader(account, client, result, shared_budget(account)),
                channel,
                time_budget.take(references),
                result,
            )
    # The account has no credentials or is no longer in the settings, or the request failed.
    except (ImproperlyConfigured, ValueError, HoiioError) as error:
        return error
    return None


def _poll_each(reader: ApiReader, channel: Channel, references: Iterable[str], result: ReconciliationResult) -> None:
    faults = 0
    for txn_ref in references:
        faults = 0 if poll(reader, channel, txn_ref, result, reraise=faults + 1 == MAX_FAILURES) else faults + 1

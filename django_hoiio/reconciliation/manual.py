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

from .diff import MODELS
from .overdue import MAX_FAILURES, poll
from .reader import ApiReader, ReconciliationResult, shared_budget

# Seconds. Then nothing more is asked; with the client's own tries after the last question, less than the 30 after which
# servers like to end a request.
SECONDS = 8.0
TIMEOUTS = (3.0, 5.0)

CHANNELS = {model: channel for channel, model in MODELS.items()}


def refresh(model: type[Transaction], names: Iterable[tuple[str, str]]) -> tuple[ReconciliationResult, bool]:
    """Ask how transactions stand, each by its account and reference; true beside the report where some were left.

    Takes in what is news. Within `RECONCILE_REQUESTS_PER_MINUTE` of this process and account; what goes beyond, and whatever else
    keeps an account from being asked, stands in the report. Raises `django.db.Error`.
    """
    report, turn = ReconciliationResult(), TimeBudget(SECONDS)
    # One reference may have several rows.
    for account, together in groupby(sorted(set(names)), key=itemgetter(0)):
        failure = _failure_of(account, CHANNELS[model], [txn_ref for _, txn_ref in together], turn, report)
        if failure is not None:
            report.failures.append(f"Account {account!r}: {failure}")
    return report, turn.is_cut


def _failure_of(
    account: str, channel: Channel, references: Sequence[str], turn: TimeBudget, report: ReconciliationResult
) -> Exception | None:
    try:
        with HoiioClient(account, timeouts=TIMEOUTS) as client:
            _poll_each(
                ApiReader(account, client, report, shared_budget(account)), channel, turn.take(references), report
            )
    # The account has no credentials, or is not in the settings any more, or Hoiio does not answer.
    except (ImproperlyConfigured, ValueError, HoiioError) as error:
        return error
    return None


def _poll_each(asker: ApiReader, channel: Channel, references: Iterable[str], report: ReconciliationResult) -> None:
    faults = 0
    for txn_ref in references:
        faults = 0 if poll(asker, channel, txn_ref, report, reraise=faults + 1 == MAX_FAILURES) else faults + 1

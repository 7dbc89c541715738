"""Brings in what waits in the spool, tells what was never told, and runs failed receivers again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from django.db import InterfaceError, OperationalError

from .. import spool
from ..conf import conf
from ..dispatch import Outcome, hand_to_ledger, run_again
from ..inbox import receive
from ..kinds import Kind
from ..logs import get_logger
from ..models import Notification, ReceiverFailure
from ..progress import Progress, silently
from .reparsing import Reparsed, reparse

__all__ = ["Progress", "Reparsed", "Report", "recover", "reparse"]

logger = get_logger(__name__)

IVR_KINDS = [kind for kind in Kind if kind.is_ivr]


@dataclass(kw_only=True)
class Report:
    """What a recovery did, in numbers."""

    stored: int = 0
    # Files whose notification was a row already.
    known: int = 0
    set_aside: int = 0
    # Files that wait on, because the database is away.
    waiting: int = 0
    told: int = 0
    receivers: Counter[Outcome] = field(default_factory=Counter)

    @property
    def something_is_left(self) -> bool:
        return bool(
            self.set_aside
            or self.waiting
            or self.receivers[Outcome.FAILED]
            or self.receivers[Outcome.RESTING]
            or self.receivers[Outcome.DISCONNECTED]
        )

    def __str__(self) -> str:
        return (
            f"Stored {self.stored} from the spool ({self.known} were known, {self.waiting} wait, {self.set_aside} set"
            f" aside), took up {self.told} that were never told; receivers: {self.receivers[Outcome.MENDED]} mended,"
            f" {self.receivers[Outcome.FAILED]} failed again, {self.receivers[Outcome.RESTING]} resting,"
            f" {self.receivers[Outcome.DISCONNECTED]} no longer connected."
        )


def recover(*, ivr: bool = False, progress: Progress = silently) -> Report:
    """Bring in the spool, then take up what was never told, then run failed receivers again.

    Receivers of interactive calls are left alone unless `ivr`: they would dial or play late. It may be killed, run
    again or run twice at the same time: each notification is one row, and each attempt of a receiver is made by one
    process.
    """
    report = Report()
    if conf.SPOOL_DIR is not None:
        _drain(conf.SPOOL_DIR, report, ivr, progress)
    if not report.waiting:
        _take_up_untold(report, ivr, progress)
        _run_failed_again(report, ivr, progress)
    return report


def _drain(folder: Path, report: Report, ivr: bool, progress: Progress) -> None:
    files = list(spool.waiting(folder))
    for done, path in enumerate(progress(files, "spool")):
        try:
            _bring_in(path, report, ivr)
        except FileNotFoundError:
            # Another process was quicker.
            continue
        except (OperationalError, InterfaceError) as error:
            logger.error("The database is away, the spool waits: %s.", type(error).__name__)
            report.waiting = len(files) - done
            return
        # Whatever is wrong with one file must not keep the others from coming in.
        except Exception as error:
            logger.error("The spool file %s is set aside: %s.", path.name, type(error).__name__)
            spool.set_aside(path)
            report.set_aside += 1


def _bring_in(path: Path, report: Report, ivr: bool) -> None:
    arrival = spool.load(path)
    if Notification.objects.where_written().filter(arrival=arrival.uuid).exists():
        report.known += 1
    else:
        receive(arrival, ivr=ivr)
        report.stored += 1
    spool.drop(path)


def _take_up_untold(report: Report, ivr: bool, progress: Progress) -> None:
    now = datetime.now(timezone.utc)
    untold = Notification.objects.where_written().undispatched().filter(claimed_until__lt=now, blanked_at=None)
    if not ivr:
        untold = untold.exclude(kind__in=IVR_KINDS)
    for notification in progress(untold.order_by("received_at", "pk"), "untold"):
        report.told += hand_to_ledger(notification)


def _run_failed_again(report: Report, ivr: bool, progress: Progress) -> None:
    failures = ReceiverFailure.objects.where_written().unmended().filter(attempts__lt=conf.MAX_ATTEMPTS)
    # What is blanked holds nothing that a receiver could be told.
    failures = failures.filter(notification__blanked_at=None)
    if not ivr:
        failures = failures.exclude(notification__kind__in=IVR_KINDS)
    in_order = failures.select_related("notification").order_by("notification__received_at", "pk")
    for failure in progress(in_order, "receivers"):
        report.receivers[run_again(failure)] += 1

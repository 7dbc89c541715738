"""Asks Hoiio for the notifications that never came.

`history` reads what began since the last time, `overdue` asks after what has not ended. Both ask by `asking`, within
the `budget`, and hand to the inbox what is `news`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from ..client import HoiioClient
from ..conf import conf
from ..exceptions import HoiioError, NotReachable, WrongCredentials
from ..kinds import Channel
from ..progress import Progress, silently
from .asking import Asker
from .history import read_history
from .overdue import ask_overdue
from .report import Found, Report

__all__ = ["Found", "Progress", "Report", "able_accounts", "reconcile"]

Part = Callable[[Asker, Channel, Report], None]


def reconcile(
    *,
    accounts: Sequence[str] | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    progress: Progress = silently,
) -> Report:
    """Bring every call, SMS and fax to the state that Hoiio tells, as if its notifications had come.

    `accounts` are those with APP_ID and ACCESS_TOKEN where they are left out; `since` replaces the high-water mark.
    It may be killed and run again. Why something could not be asked stands in the report. Raises
    `ImproperlyConfigured` or `ValueError` where an account cannot ask at all, and `django.db.Error`.
    """
    report = Report(dry_run=dry_run)
    for account in able_accounts() if accounts is None else accounts:
        with HoiioClient(account) as client:
            _reconcile_account(Asker(account, client, report), report, since, progress)
    return report


def able_accounts() -> list[str]:
    """The accounts that can ask Hoiio."""
    return [account for account in conf.ACCOUNTS if conf.app_id(account) and conf.access_tokens(account)]


def _reconcile_account(asker: Asker, report: Report, since: datetime | None, progress: Progress) -> None:
    for channel in Channel:
        parts: dict[str, Part] = {
            "get_history": partial(read_history, since=since, progress=progress),
            "query_status": partial(ask_overdue, progress=progress),
        }
        for name, part in parts.items():
            failure = _failure_of(part, asker, channel, report)
            if failure is not None:
                report.failures.append(f"{channel}/{name} of account {asker.account!r}: {failure}")
            # The next question would fare no better.
            if isinstance(failure, (NotReachable, WrongCredentials)):
                return


def _failure_of(part: Part, asker: Asker, channel: Channel, report: Report) -> HoiioError | None:
    try:
        part(asker, channel, report)
    except HoiioError as error:
        return error
    return None

"""Erase one person by phone number from the spool and from every row."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import router
from django.db.models import JSONField, Model, QuerySet, TextField
from django.db.models.functions import Cast

from django_hoiio import spool
from django_hoiio.conf import conf
from django_hoiio.models import TRANSACTION_MODELS, IvrRun, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.parsing import RawNotification, parse
from django_hoiio.parsing.fields import FORM_CONTENT_TYPE, text_of
from django_hoiio.parsing.parameters import suffix_of
from django_hoiio.progress import Progress, no_progress

from .batches import BatchSize, Scan, in_batches, in_transaction
from .phone_numbers import NumberPatterns
from .redaction import (
    NAMELESS_PART,
    PARTY_COLUMNS,
    PARTY_PARAMETERS,
    PERSONAL,
    columns_of,
    lock,
    notifications_of,
    redact_notifications,
    redact_runs,
    redact_transactions,
    replace_uuids,
    transactions_of,
)

__all__ = [
    "ForgetResult",
    "forget",
]


@dataclass(kw_only=True)
class ForgetResult:
    """Counts of `forget`."""

    #: The person was a party to these.
    notifications: int = 0
    transactions: int = 0
    #: Rows from which only the number was removed, and phone menus of other calls.
    mentions: int = 0
    #: Spool files, and the names of those that cannot be read and may mention the number.
    files: int = 0
    unreadable: list[str] = field(default_factory=list)


def conversations_with(numbers: Iterable[str]) -> int:
    """Count the calls, SMS and faxes with one of the numbers as the remote party. Uses an index."""
    spellings = NumberPatterns(numbers)
    suffixes = {suffix_of(digits) for digits in spellings.digits} - {""}
    found = 0
    for model in TRANSACTION_MODELS:
        others = model._default_manager.filter(remote_suffix__in=suffixes).values_list("remote_number", flat=True)
        found += sum(spellings.are_in(other) for other in others)
    return found


def forget(numbers: Iterable[str], *, progress: Progress = no_progress) -> ForgetResult:
    """Erase the numbers in every spelling. Raises ValueError if one is not a phone number.

    It reads every row, and may be killed and run again. It includes notifications received while it runs, except a
    spool file that is being imported at its last moment.
    """
    return _Forgetting(NumberPatterns(numbers), progress).run()


class _Forgetting:
    def __init__(self, spellings: NumberPatterns, progress: Progress) -> None:
        self.spellings = spellings
        self.progress = progress
        self.result = ForgetResult()
        self.pace = BatchSize()
        self.using = router.db_for_write(Notification)

    def run(self) -> ForgetResult:
        spooled_uuids = self._in_spool()
        notifications = Notification.objects.using(self.using).filter(redacted_at=None)
        self._go_through(notifications, self._forget_notifications)
        # Spool files that were imported with their old content meanwhile.
        self._go_through(notifications.filter(uuid__in=spooled_uuids), self._forget_notifications)
        for model in TRANSACTION_MODELS:
            self._go_through(model._default_manager.using(self.using).all(), self._forget_transactions)
        self._go_through(IvrRun.objects.using(self.using).all(), self._forget_runs)
        self._go_through(ReceiverFailure.objects.using(self.using).exclude(traceback=""), self._take_out)
        return self.result

    def _in_spool(self) -> Collection[Any]:
        if conf.SPOOL_DIR is None:
            return ()
        spooled = forget_in_spool(conf.SPOOL_DIR, self.spellings, self.progress)
        self.result.files, self.result.unreadable = len(spooled.uuids), spooled.unreadable
        return spooled.uuids

    def _go_through(self, rows: QuerySet[Any], forget: Callable[[type[Any], list[int]], None]) -> None:
        """Pass the rows that may mention a number to `forget`, in batches."""
        name = str(rows.model._meta.verbose_name_plural)
        found = (row.pk for row in self.progress(_texts_of(rows), name) if self._may_be_in(row))
        for batch in in_batches(found, self.pace):
            forget(rows.model, batch)

    def _may_be_in(self, row: Any) -> bool:
        # The first value is the key.
        texts = (text_of(bytes(value)) if not isinstance(value, str) else value for value in row[1:])
        return self.spellings.may_be_in("\n".join(texts))

    # Finding the rows.

    def _forget_notifications(self, model: type[Notification], pks: list[int]) -> None:
        rows = list(model.objects.using(self.using).filter(pk__in=pks))
        parties = [row for row in rows if self._is_party(row.params.get(name, "") for name in PARTY_PARAMETERS)]
        about = transactions_of(parties, self.using)
        self._redact({row.pk for row in parties}, about)
        self._take_out(model, [row.pk for row in rows if row not in parties])

    def _forget_transactions(self, model: type[Transaction], pks: list[int]) -> None:
        rows = list(model._default_manager.using(self.using).filter(pk__in=pks))
        parties = {row.pk for row in rows if self._is_party(getattr(row, name, "") for name in PARTY_COLUMNS)}
        self._redact(set(), {model: parties})
        self._take_out(model, [row.pk for row in rows if row.pk not in parties])

    def _forget_runs(self, model: type[IvrRun], pks: list[int]) -> None:
        """Redact phone menus that mention a number. Without the number, a flow would go on with a wrong answer."""
        rows = model.objects.using(self.using).filter(pk__in=pks)
        mentioning = rows.filter(pk__in=[row.pk for row in rows if self._changes(row)])
        self.result.mentions += in_transaction(partial(redact_runs, mentioning), self.pace, self.using)

    def _is_party(self, numbers: Iterable[str]) -> bool:
        return any(self.spellings.are_in(number) for number in numbers)

    # Changing the rows.

    def _redact(self, notifications: set[int], about: dict[type[Transaction], set[int]]) -> None:
        """Redact these notifications, these transactions, and all notifications of these transactions."""
        for model, pks in about.items():
            rows = list(model._default_manager.using(self.using).filter(pk__in=pks))
            notifications |= {one.pk for found in notifications_of(rows, self.using).values() for one in found}

        def redact() -> tuple[int, int]:
            redacted = redact_notifications(notifications, self.using)
            return redacted, sum(redact_transactions(model, pks, self.using) for model, pks in about.items())

        if notifications or any(about.values()):
            redacted, ended = in_transaction(redact, self.pace, self.using)
            self.result.notifications += redacted
            self.result.transactions += ended

    def _take_out(self, model: type[Any], pks: list[int]) -> None:
        """Remove the numbers from all columns of these rows."""
        rows = model._default_manager.using(self.using).filter(pk__in=pks)
        changing = [row.pk for row in rows if self._changes(row)]

        def take_out() -> int:
            locked = model._default_manager.using(self.using).filter(pk__in=changing)
            lock(locked, "traceback" if model is ReceiverFailure else "redacted_at")
            # Read again after locking, because another process may have changed them.
            return sum(self._change(row) for row in locked)

        if changing:
            self.result.mentions += in_transaction(take_out, self.pace, self.using)

    def _change(self, row: Model) -> bool:
        changes = self._changes(row)
        if isinstance(row, Sms) and "msg" in changes:
            changes["part"] = NAMELESS_PART
        if changes:
            type(row)._default_manager.using(self.using).filter(pk=row.pk).update(**changes)
        if changes and isinstance(row, Notification):
            replace_uuids([row.pk], self.using)
        return bool(changes)

    def _changes(self, row: Model) -> dict[str, Any]:
        """Return the new values of the columns that mention a number."""
        return {name: cleaned for name, value in _values_of(row) if (cleaned := self._without(value)) != value}

    def _without(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return self.spellings.removed_from_bytes(value)
        return self.spellings.removed_from_json(value)


def _values_of(row: Model) -> Iterator[tuple[str, Any]]:
    for column in columns_of(type(row)):
        value = getattr(row, column.name)
        yield column.name, bytes(value) if isinstance(value, memoryview) else value


def _texts_of(rows: QuerySet[Any]) -> Scan:
    """Scan the columns as text. JSON that is only searched need not be parsed."""
    names, casts = [], {}
    for column in columns_of(rows.model):
        names.append(f"{column.name}_text" if isinstance(column, JSONField) else column.name)
        if isinstance(column, JSONField):
            casts[names[-1]] = Cast(column.name, TextField())
    return Scan(rows=rows.annotate(**casts), columns=tuple(names))


# Seconds after which an unfinished file counts as left by a crash.
LEFT_AFTER = 60


@dataclass(kw_only=True)
class SpoolResult:
    """Result of `forget_in_spool`."""

    # UUIDs of the changed files. One may have been imported meanwhile with its old content.
    uuids: set[UUID] = field(default_factory=set)
    # Names of files that cannot be read and may mention a number.
    unreadable: list[str] = field(default_factory=list)


def forget_in_spool(folder: Path, spellings: NumberPatterns, progress: Progress) -> SpoolResult:
    """Remove the numbers from each spool file in place. Raises OSError if one cannot be written."""
    done = SpoolResult()
    for path in spool.unfinished(folder):
        _drop_what_a_crash_left(path, done)
    _forget_in(progress(list(spool.pending(folder)), "spool"), spellings, done)
    # After the others, to include files that are quarantined meanwhile.
    _forget_in(spool.quarantined(folder), spellings, done)
    return done


def _forget_in(paths: Iterable[Path], spellings: NumberPatterns, done: SpoolResult) -> None:
    for path in paths:
        _forget_in_file(path, spellings, done)


def _forget_in_file(path: Path, spellings: NumberPatterns, done: SpoolResult) -> None:
    try:
        raw = spool.load(path)
        cleaned = without(raw, spellings)
    except FileNotFoundError:
        # An imported file is in the database by now and found there later. A broken link was not imported.
        if path.is_symlink():
            done.unreadable.append(path.name)
    except (OSError, ValueError, RecursionError):
        if _may_be_mentioned_in(path, spellings):
            done.unreadable.append(path.name)
    else:
        if cleaned != raw:
            # If the file is imported at this moment, this creates it again. The next recovery drops the duplicate.
            spool.write(cleaned, path)
            done.uuids.add(raw.uuid)


def _may_be_mentioned_in(path: Path, spellings: NumberPatterns) -> bool:
    """Return whether an unreadable file may mention one of the numbers. Only plain text can be searched."""
    if not path.is_file():
        return True
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return True
    # Spool files store the body as Base64, which cannot be searched if the file is damaged.
    return text.lstrip()[:1] in ("{", "[") or spellings.are_in(text)


def without(raw: RawNotification, spellings: NumberPatterns) -> RawNotification:
    """Return the notification without the numbers. If one is a party, remove all other personal data too."""
    params = parse(raw).params
    if any(spellings.are_in(params.get(name, "")) for name in PARTY_PARAMETERS):
        # Keep the names of empty parameters, because they determine the kind.
        redacted_params = {name: "" if name in PERSONAL else text for name, text in params.items()}
        return raw._replace(
            query="",
            body=urlencode(redacted_params).encode(),
            headers={"Content-Type": FORM_CONTENT_TYPE},
            remote_addr="",
            pass_on={},
        )
    return raw._replace(
        query=spellings.removed_from(raw.query),
        body=spellings.removed_from_bytes(raw.body) if spellings.may_be_in(text_of(raw.body)) else raw.body,
        headers=spellings.removed_from_json(dict(raw.headers)),
        pass_on=spellings.removed_from_json(dict(raw.pass_on)),
        problems=spellings.removed_from_json(dict(raw.problems)),
    )


def _drop_what_a_crash_left(path: Path, done: SpoolResult) -> None:
    try:
        if path.lstat().st_mtime < time.time() - LEFT_AFTER:
            spool.delete(path)
    except FileNotFoundError:
        return
    except OSError:
        done.unreadable.append(path.name)

"""The telephone exchange: the state of a sandbox, in memory and behind one lock."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from django_hoiio.conf import conf
from django_hoiio.enums import Direction

from .delivery import Delivery, Faults, deliveries, is_dropped, log_fields
from .line import Line, PostResult
from .records import LogEntry, SandboxNumber, SandboxTransaction, State
from .samples import Params

# The registered number of each account, and so the number of the first person.
HANDSET = "+6591234567"
_FIRST_NUMBER = 6531234567

# Limits of the stored records; the oldest are removed first.
MAX_ENTRIES = 1000
MAX_TRANSACTIONS = 10_000
MAX_FILES = 50

# Initial credit of each account.
POINTS, BONUS = Decimal(1000), Decimal("4.650")


class CallHandlers(NamedTuple):
    """Callbacks for a call that the other side answers, refuses or hangs up."""

    answered: Callable[[LiveCall], None]
    # With the status word.
    refused: Callable[[LiveCall, str], None]
    over: Callable[[LiveCall], None]


@dataclass(kw_only=True, eq=False)
class LiveCall:
    """A call between two numbers or, if it has a session, between a remote party and the application."""

    exchange: Exchange
    transaction: SandboxTransaction
    direction: Direction
    handlers: CallHandlers
    # The number that the telephone page shows for the other side.
    number: str
    session: str = ""
    # The number of the person who takes part; empty if the sandbox simulates the remote party.
    person: str = ""
    state: State = State.RINGING
    # True from the moment when the end of a block is posted until the next block.
    is_ready: bool = False
    # Counts the changes of state. An alarm of an earlier step does nothing.
    step: int = 0
    answered_at: datetime | None = None
    # How the other side reacts to the call, and the message it hears when it answers.
    outcome: str = "answered"
    greeting: str = ""
    # Seconds; 0 means no limit.
    max_duration: float = 0
    # By the parameter names of notifications.
    parties: Params = field(default_factory=dict)
    # The current or last block, its tag, its notify URL and its parameters.
    block: str = "answer"
    tag: str = ""
    notify_url: str = ""
    block_params: Mapping[str, str] = field(default_factory=dict)
    digits: str = ""
    max_digits: int = 0
    attempts: int = 1
    # Where the recording of the whole call is reported, and the tag of the block that began it.
    monitor_url: str = ""
    monitor_tag: str = ""

    @property
    def is_over(self) -> bool:
        return self.state == State.ENDED

    def write(self, entry_type: str, /, **details: Any) -> None:
        """Add an entry to the log of the person who takes part, if one does."""
        if self.person:
            self.exchange.write(entry_type, person=self.person, call=self.transaction.txn_ref, **details)


@dataclass(frozen=True, kw_only=True)
class OutgoingNotification:
    """A notification to post, and the ID of the log entry that shows it."""

    entry: int
    delivery: Delivery
    # Seconds.
    delay: float
    # The call that takes its next block from the moment when this is posted. None begins before.
    call: LiveCall | None = None


class Exchange:
    """State of a sandbox. Read and change it only within `locked()`, and post nothing there."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._changed = threading.Condition()
        self.revision = 0
        self._first_reference = 0
        self._counts: Counter[str] = Counter()
        self.reset()

    def reset(self) -> None:
        """Delete everything, as a new process would."""
        with self._changed:
            self.faults = Faults()
            self.transactions: OrderedDict[str, SandboxTransaction] = OrderedDict()
            self.calls: OrderedDict[str, LiveCall] = OrderedDict()
            self.entries: OrderedDict[int, LogEntry] = OrderedDict()
            self.files: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
            # Never decreases, even after a restart, so a page that polls for newer entries misses nothing.
            self.revision = max(self.revision + 1, unused_number(self.now()))
            # Times of requests to rate-limited paths, by account and path.
            self.requests: defaultdict[tuple[str, str], deque[datetime]] = defaultdict(deque)
            self._numbers: dict[str, SandboxNumber] = {}
            self._spent: defaultdict[str, Decimal] = defaultdict(Decimal)
            given = max(self._counts.values(), default=0)
            self._first_reference = max(self._first_reference + given, unused_number(self.now()))
            self._counts.clear()
            self._notices: list[OutgoingNotification] = []
            # Log entries of notifications that have no result yet.
            self._unsent: set[int] = set()

    @contextmanager
    def locked(self) -> Iterator[list[OutgoingNotification]]:
        """Lock the exchange and yield the notifications to send after it is released."""
        with self._changed:
            self._notices = []
            yield self._notices
            self._unsent.update(notice.entry for notice in self._notices)
            self._changed.notify_all()

    def send(self, notices: Iterable[OutgoingNotification], *, once: threading.Event | None = None) -> None:
        """Post notifications in order, each not before the event. Delayed ones do not hold up others."""
        for notice in notices:
            self.line.deliver(partial(self._deliver, notice), after=notice.delay, once=once)

    def _deliver(self, notice: OutgoingNotification) -> None:
        with self.locked():
            if notice.call is not None:
                notice.call.is_ready = True
        result = self.line.post(notice.delivery)
        with self.locked():
            self._settle(notice, result)

    def _settle(self, notice: OutgoingNotification, result: PostResult) -> None:
        state = "answered" if result.status == HTTPStatus.OK else "failed"
        self.rewrite(notice.entry, state=state, status=result.status, error=result.error)
        self._unsent.discard(notice.entry)
        if notice.call is not None and notice.call.state == State.RINGING:
            notice.call.write("call", text="No receiver of your application has answered. It still rings.")

    def wait(self, seconds: float, *, for_texts: bool = False) -> bool:
        """Wait until all notifications are sent and, if wanted, all texts spoken; return False on timeout."""

        def is_quiet() -> bool:
            speaks = for_texts and any(call.state == State.PLAYING for call in self.calls.values())
            return not (self._unsent or speaks)

        with self._changed:
            return self._changed.wait_for(is_quiet, seconds)

    # Queries.

    def now(self) -> datetime:
        return self.line.now()

    def numbers(self) -> list[SandboxNumber]:
        """Return two numbers, for calls and SMS and for faxes, of each account with an app ID and an access token."""
        accounts = [name for name in conf.ACCOUNTS if conf.app_id(name) and conf.access_tokens(name)]
        for at, account in enumerate(accounts):
            for number, mode in ((f"+{_FIRST_NUMBER + 2 * at}", "voice"), (f"+{_FIRST_NUMBER + 2 * at + 1}", "fax")):
                self._numbers.setdefault(number, SandboxNumber(number=number, account=account, mode=mode))
        return [number for number in self._numbers.values() if number.account in accounts]

    def number(self, text: str) -> SandboxNumber | None:
        return next((number for number in self.numbers() if number.number == text), None)

    def call_of(self, person: str) -> LiveCall | None:
        """Return the current or last call of a person."""
        return next((call for call in reversed(self.calls.values()) if call.person == person), None)

    def is_free(self, person: str) -> bool:
        call = self.call_of(person)
        return call is None or call.is_over

    def live_calls(self, account: str) -> list[LiveCall]:
        return [call for call in self.calls.values() if call.transaction.account == account and not call.is_over]

    def balance(self, account: str) -> tuple[Decimal, Decimal]:
        """Return the remaining points and bonus of an account. The bonus is spent first."""
        spent = self._spent[account]
        bonus = max(Decimal(0), BONUS - spent)
        return POINTS - max(Decimal(0), spent - BONUS), bonus

    # Changes.

    def count(self, what: str) -> int:
        """Return the next number of this counter, from 1."""
        self._counts[what] += 1
        return self._counts[what]

    def reference(self, prefix: str) -> str:
        """Return a new reference, such as `AA-S-471804`, that no earlier process has used."""
        return f"{prefix}{self._first_reference + self.count(prefix)}"

    def add_number(self, number: SandboxNumber) -> None:
        self._numbers[number.number] = number
        self.touch()

    def spend(self, account: str, amount: Decimal) -> None:
        self._spent[account] += amount

    def begin(self, transaction: SandboxTransaction) -> SandboxTransaction:
        """Store a transaction for status and history queries."""
        self.transactions[transaction.txn_ref] = transaction
        _shorten(self.transactions, MAX_TRANSACTIONS)
        return transaction

    def connect(self, call: LiveCall) -> LiveCall:
        """Store a call by its `txn_ref`. Remove the oldest ended calls above the limit."""
        self.calls[call.transaction.txn_ref] = call
        ended = [ref for ref, other in self.calls.items() if other.is_over]
        for ref in ended[: max(0, len(self.calls) - MAX_ENTRIES)]:
            del self.calls[ref]
        return call

    def write(self, entry_type: str, /, **details: Any) -> LogEntry:
        """Add an entry to the telephone page's log."""
        self.revision += 1
        entry = LogEntry(id=self.revision, revision=self.revision, at=self.now(), type=entry_type, details=details)
        self.entries[entry.id] = entry
        _shorten(self.entries, MAX_ENTRIES)
        return entry

    def rewrite(self, number: int, /, **details: Any) -> None:
        """Change a log entry, if it still exists."""
        entry = self.entries.get(number)
        if entry is not None:
            self.revision += 1
            entry.revision, entry.details = self.revision, {**entry.details, **details}

    def touch(self) -> None:
        """Increase the revision for a change without a log entry."""
        self.revision += 1

    def switch(self, **faults: Any) -> None:
        """Change faults; those that are not named stay."""
        self.faults = replace(self.faults, **faults)
        self.touch()

    def store_file(self, name: str, content_type: str, content: bytes) -> str:
        """Store a recording or document and return a link that looks signed, as Hoiio's links do."""
        self.files[name] = (content_type, content)
        _shorten(self.files, MAX_FILES)
        return self.line.file_url(name)

    def notify(self, account: str, url: str, params: Mapping[str, str], *, call: LiveCall | None = None) -> None:
        """Queue a notification to be sent after the lock is released. Do nothing without a URL.

        When it is posted, the call is ready for its next block.
        """
        if not url:
            return
        drop = is_dropped(self.count("notification"), self.faults.drop_rate)
        if drop and call is not None:
            call.is_ready = True
        for delivery, faults in deliveries(account, url, params, self.faults, drop=drop):
            entry = self.write("notification", **log_fields(delivery, faults, state="dropped" if drop else "waiting"))
            if not drop:
                delay = self.faults.delay
                self._notices.append(OutgoingNotification(entry=entry.id, delivery=delivery, delay=delay, call=call))
                # The first of two opens the call.
                call = None


def unused_number(now: datetime) -> int:
    """Return a number greater than those of earlier processes: hundredths of a second since 2026."""
    return int((now - datetime(2026, 1, 1, tzinfo=timezone.utc)).total_seconds() * 100)


def _shorten(records: OrderedDict[Any, Any], most: int) -> None:
    while len(records) > most:
        records.popitem(last=False)

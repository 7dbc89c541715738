"""Notifications as received."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from django.core.checks import CheckMessage
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import CallState, Kind, Rank, Route, Source, VerifiedBy
from django_hoiio.masking import PERMISSION_NAMES
from django_hoiio.parsing.classifying import rank_of_report
from django_hoiio.parsing.parameters import ACCOUNT_LENGTH, REFERENCE_LENGTH

from .transactions import TRANSACTION_MODELS, BaseQuerySet, Call, Fax, Sms, Transaction, client_for

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from django_hoiio.client import HoiioClient

# The foreign keys to the transaction, named like the models.
LINKS = ("call", "sms", "fax")

# A process claims a notification for this long to run its receivers.
CLAIM = timedelta(minutes=5)

# Allowed clock difference between servers.
CLOCK_TOLERANCE = timedelta(minutes=1)


class NotificationQuerySet(BaseQuerySet["Notification"]):
    """The methods of `Notification.objects` and its querysets."""

    def pending(self) -> NotificationQuerySet:
        """Return the notifications whose receivers were not all called yet."""
        return self.filter(dispatched_at=None)

    def unclaimed(self, now: datetime) -> NotificationQuerySet:
        """Return the notifications whose claim has expired.

        A claim that ends later than a new one would was set by a wrong clock, and counts as expired.
        """
        latest = now + CLAIM + CLOCK_TOLERANCE
        return self.filter(Q(claimed_until__lt=now) | Q(claimed_until__gt=latest))

    def claimed(self, now: datetime) -> NotificationQuerySet:
        """Return the notifications that a process may be working on."""
        return self.filter(claimed_until__range=(now, now + CLAIM + CLOCK_TOLERANCE))

    def older_than(self, moment: datetime) -> NotificationQuerySet:
        """Return the notifications that were received before a moment."""
        return self.filter(received_at__lt=moment)

    def unlinked(self) -> NotificationQuerySet:
        """Return the notifications that no call, SMS or fax contains."""
        return self.filter(**dict.fromkeys(LINKS))

    def with_state_error(self) -> NotificationQuerySet:
        """Return the notifications whose call, SMS or fax could not be updated."""
        return self.filter(state_error__gt="")


def _link(model: type[Transaction], help_text: _StrPromise) -> models.ForeignKey[Any, Any]:
    """Return a foreign key that is set if the row of `model` contains the report of the notification."""
    return models.ForeignKey(
        model,
        models.SET_NULL,
        verbose_name=model._meta.verbose_name,
        related_name="notifications",
        null=True,
        blank=True,
        # Most of the three are empty, so Meta has partial indexes. Deleting old rows must not lock the others.
        db_index=False,
        db_constraint=False,
        help_text=help_text,
    )


class Notification(models.Model):
    """One notification as received. Only dispatching, reparsing and redaction change the row."""

    uuid = models.UUIDField(
        _("UUID"), help_text=_("Identifies this delivery. A retry of the same delivery never makes a second row.")
    )
    received_at = models.DateTimeField(_("received at"), help_text=_("When the app received the notification."))
    kind = models.CharField(
        _("kind"),
        max_length=32,
        choices=Kind.choices,
        help_text=_("The kind of the notification, which is also the name of its signal."),
    )
    route = models.CharField(
        _("route"), max_length=8, choices=Route.choices, help_text=_("The route of the URL that Hoiio posted to.")
    )
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
        help_text=_("Hoiio's reference of the call, SMS or fax; empty if the notification has none."),
    )
    session = models.CharField(
        _("session"),
        max_length=REFERENCE_LENGTH,
        null=True,
        blank=True,
        help_text=_("Hoiio's session of an interactive call; empty if the notification has none."),
    )
    params = models.JSONField(
        _("parameters"), default=dict, help_text=_("Hoiio's own parameters, percent-decoded once.")
    )
    pass_on = models.JSONField(
        _("pass-on parameters"), default=dict, help_text=_("The project's own parameters, as Hoiio passed them back.")
    )
    block = models.JSONField(
        _("block"),
        default=dict,
        blank=True,
        help_text=_("The block of an interactive call that the client requested, as signed in the notify URL."),
    )
    problems = models.JSONField(
        _("problems"),
        default=dict,
        blank=True,
        help_text=_("Parameters that could not be read, each with the reason."),
    )
    unverified_params = models.JSONField(
        _("unverified parameters"),
        default=list,
        blank=True,
        help_text=_("The pass-on parameters that the signature does not cover."),
    )
    state_error = models.CharField(
        _("state error"),
        max_length=255,
        blank=True,
        help_text=_("Why its call, SMS or fax could not be updated; empty if it was updated."),
    )
    state_attempts = models.PositiveSmallIntegerField(
        _("state attempts"), default=0, help_text=_("How often hoiio_recover has tried to update it.")
    )
    version = models.BigIntegerField(
        _("version"), default=0, help_text=_("The rank of its report and the microsecond when it was received.")
    )
    call = _link(Call, _("The call that contains its report."))
    sms = _link(Sms, _("The SMS that contains its report."))
    fax = _link(Fax, _("The fax that contains its report."))
    query = models.TextField(
        _("raw query string"), blank=True, help_text=_("As received; bytes that a URL cannot hold are percent-encoded.")
    )
    body = models.BinaryField(_("raw body"), default=b"", help_text=_("As received, byte for byte."))
    headers = models.JSONField(
        _("headers"),
        default=dict,
        blank=True,
        help_text=_("The headers that are stored: content type, user agent, signature."),
    )
    remote_addr = models.CharField(
        _("remote address"),
        max_length=255,
        blank=True,
        help_text=_("The peer of the connection: Hoiio, or a proxy. It is not used for any decision."),
    )
    verified_by = models.CharField(
        _("verified by"),
        max_length=16,
        choices=VerifiedBy.choices,
        default=VerifiedBy.NONE,
        help_text=_("How the sender was verified; empty if it was not."),
    )
    source = models.CharField(
        _("source"),
        max_length=16,
        choices=Source.choices,
        default=Source.WEBHOOK,
        help_text=_("How the notification reached the app."),
    )
    dispatched_at = models.DateTimeField(
        _("dispatched at"), null=True, blank=True, help_text=_("When all its receivers had run.")
    )
    claimed_until = models.DateTimeField(
        _("claimed until"),
        null=True,
        blank=True,
        help_text=_("Until this time, only one process may run the receivers; empty after all have run."),
    )

    receivers = models.JSONField(
        _("receivers"), default=list, blank=True, help_text=_("The receivers that ran, each with its signal.")
    )
    redacted_at = models.DateTimeField(
        _("redacted at"), null=True, blank=True, help_text=_("When its personal data was removed.")
    )

    objects = NotificationQuerySet.as_manager()

    _client: HoiioClient | None = None

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        default_permissions = ("view",)
        permissions = [
            *((name.partition(".")[2], title) for name, title in PERMISSION_NAMES.items()),
            ("retry_receivers", _("Can retry failed receivers")),
            ("dispatch", _("Can dispatch pending notifications")),
            ("reconcile", _("Can refresh statuses from Hoiio")),
            ("export", _("Can export lists")),
        ]
        constraints = [models.UniqueConstraint(fields=["uuid"], name="hoiio_notification_uuid")]
        indexes = [
            # The reports of a transaction, in their order.
            *(
                models.Index(
                    fields=[link, "version"],
                    condition=Q(**{f"{link}__isnull": False}),
                    name=f"hoiio_notification_{link}",
                )
                for link in LINKS
            ),
            # Notifications that no transaction contains.
            models.Index(
                fields=["txn_ref", "account"],
                condition=Q(**dict.fromkeys(LINKS), txn_ref__isnull=False),
                name="hoiio_notification_txn_ref",
            ),
            models.Index(
                fields=["state_error", "received_at"],
                condition=Q(state_error__gt=""),
                name="hoiio_notification_state_error",
            ),
            # The notifications of an interactive call. Most rows have no session.
            models.Index(
                fields=["session", "account"],
                condition=Q(session__isnull=False),
                name="hoiio_notification_session",
            ),
            # Date ranges.
            models.Index(fields=["received_at"], name="hoiio_notification_received"),
            # Pending notifications: only these have a claim.
            models.Index(
                fields=["claimed_until"],
                condition=Q(claimed_until__isnull=False),
                name="hoiio_notification_claimed",
            ),
        ]

    def __str__(self) -> str:
        return self.txn_ref or self.session or str(self.uuid)

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        # MariaDB ignores the condition and indexes all rows, which works as well.
        return [message for message in super().check(**kwargs) if message.id != "models.W037"]

    @property
    def transaction(self) -> Transaction | None:
        """The call, SMS or fax that contains its report; `None` if there is none. Costs a query."""
        for model in TRANSACTION_MODELS:
            name = str(model._meta.model_name)
            pk, link = getattr(self, f"{name}_id"), cast("models.ForeignKey[Any, Any]", self._meta.get_field(name))
            if pk is not None and not link.is_cached(self):
                # Not by the foreign key, which a router may read from a replica that lags behind.
                setattr(self, name, model._base_manager.using(self._state.db).filter(pk=pk).first())
        row: Transaction | None = self.call or self.sms or self.fax
        return row

    @property
    def has_ended(self) -> bool:
        """True if this notification reports the end of its call."""
        if self.kind == Kind.CALL_ENDED and rank_of_report(Kind.CALL_ENDED, self.params) == Rank.FINAL:
            return True
        return self.kind == Kind.IVR_ENDED or self.params.get("call_state") == CallState.ENDED

    def client(self) -> HoiioClient:
        """Return a client of its account, always the same."""
        if self._client is None:
            self._client = client_for(self.account)
        return self._client

    @property
    def is_repeat(self) -> bool:
        """True if an earlier notification of the transaction had the same query and body. Costs a query.

        Always False after redaction.
        """
        if self.txn_ref is None or self.redacted_at is not None:
            return False
        is_earlier = Q(received_at__lt=self.received_at) | Q(received_at=self.received_at, pk__lt=self.pk)
        same = {"account": self.account, "txn_ref": self.txn_ref, "query": self.query, "body": bytes(self.body)}
        links = {f"{name}_id": getattr(self, f"{name}_id") for name in LINKS}
        return type(self).objects.using(self._state.db).filter(is_earlier, **links, **same).exists()

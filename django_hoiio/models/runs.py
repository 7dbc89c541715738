"""The runs of the flows, one for each interactive call that has one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from django_hoiio.parsing.parameters import ACCOUNT_LENGTH, NUMBER_LENGTH, REFERENCE_LENGTH

from .transactions import BaseQuerySet, Call


class IvrRunQuerySet(BaseQuerySet["IvrRun"]):
    def unleased(self, now: datetime) -> IvrRunQuerySet:
        """Return the runs that no process advances."""
        return self.filter(Q(leased_until=None) | Q(leased_until__lt=now))

    def abandoned(self, now: datetime) -> IvrRunQuerySet:
        """Return the runs whose process has ended before it had taken up everything."""
        # Without `IN`, Django before 6 writes `NOT is_over`, for which SQLite and MariaDB use no index.
        return self.filter(Q(leased_until__lt=now) | Q(leased_until=None, has_waiting=True), is_over__in=(False,))


class IvrRun(models.Model):
    """How far the flow of a call has got: what was asked, and what the caller did."""

    account = models.CharField(
        _("account"), max_length=ACCOUNT_LENGTH, help_text=_("The account in HOIIO['ACCOUNTS'].")
    )
    session = models.CharField(_("session"), max_length=REFERENCE_LENGTH, help_text=_("Hoiio's session of the call."))
    flow = models.CharField(_("flow"), max_length=255, help_text=_("The module and name of the flow."))
    call = models.ForeignKey(
        Call,
        models.CASCADE,
        verbose_name=_("call"),
        related_name="runs",
        null=True,
        blank=True,
        db_constraint=False,
        help_text=_("The call."),
    )
    from_number = models.CharField(
        _("from"), max_length=NUMBER_LENGTH, blank=True, help_text=_("The caller; may be empty if the project called.")
    )
    to_number = models.CharField(
        _("to"), max_length=NUMBER_LENGTH, blank=True, help_text=_("The number that was called.")
    )
    pass_on = models.JSONField(
        _("pass-on parameters"), default=dict, blank=True, help_text=_("The values that the call was dialled with.")
    )
    steps = models.JSONField(
        _("steps"),
        default=list,
        blank=True,
        help_text=_("For each block: what was asked, when it was sent, and what the caller did."),
    )
    remembered = models.JSONField(
        _("remembered"), default=dict, blank=True, help_text=_("What the functions of once() returned.")
    )
    seen = models.JSONField(
        _("seen"), default=list, blank=True, help_text=_("The notifications that the run has taken up.")
    )
    has_ended = models.BooleanField(_("has ended"), default=False, help_text=_("Whether the call has ended."))
    is_over = models.BooleanField(_("is over"), default=False, help_text=_("Whether the flow sends nothing more."))
    leased_until = models.DateTimeField(
        _("leased until"),
        null=True,
        blank=True,
        help_text=_("Until this time, only one process may advance the flow; empty if none does."),
    )
    has_waiting = models.BooleanField(
        _("has waiting"),
        default=False,
        help_text=_("Whether a notification has arrived while another process advanced the flow."),
    )
    started_at = models.DateTimeField(_("started at"), help_text=_("When its first notification was received."))
    redacted_at = models.DateTimeField(
        _("redacted at"), null=True, blank=True, help_text=_("When its personal data was removed.")
    )

    objects = IvrRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("phone menu")
        verbose_name_plural = _("phone menus")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["account", "session"], name="hoiio_run_session")]
        indexes = [
            models.Index(fields=["started_at"], name="hoiio_run_started"),
            models.Index(fields=["is_over", "leased_until"], name="hoiio_run_leased"),
        ]

    def __str__(self) -> str:
        return f"{self.flow} ({self.session})"

    def asked(self, step: int) -> dict[str, Any]:
        """Return what is stored of a step, from 1; create it if it is the next one."""
        while len(self.steps) < step:
            self.steps.append({})
        found: dict[str, Any] = self.steps[step - 1]
        return found

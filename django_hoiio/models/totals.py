"""Closed days and daily totals."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import Traffic
from django_hoiio.parsing.parameters import ACCOUNT_LENGTH, WORD_LENGTH


class ClosedDay(models.Model):
    """A day whose totals are stored and never change. All days before it are closed too."""

    day = models.DateField(_("day"), help_text=_("In the project's TIME_ZONE."))
    closed_at = models.DateTimeField(_("closed at"), help_text=_("When the day was closed."))

    objects: models.Manager[ClosedDay]

    class Meta:
        verbose_name = _("closed day")
        verbose_name_plural = _("closed days")
        default_permissions = ("view",)
        # If two processes close a day at once, the second one fails.
        constraints = [models.UniqueConstraint(fields=["day"], name="hoiio_closed_day")]

    def __str__(self) -> str:
        return str(self.day)


class DailyTotal(models.Model):
    """Number of calls, SMS or faxes that began on a day, and Hoiio's charge. Outlives the counted rows."""

    day = models.DateField(_("day"), help_text=_("In the project's TIME_ZONE."))
    account = models.CharField(
        _("account"), max_length=ACCOUNT_LENGTH, help_text=_("The account in HOIIO['ACCOUNTS'].")
    )
    traffic = models.CharField(
        _("traffic"), max_length=16, choices=Traffic.choices, help_text=_("The counted channel and direction.")
    )
    currency = models.CharField(
        _("currency"),
        max_length=WORD_LENGTH,
        blank=True,
        help_text=_("The currency of the debit; empty if Hoiio reported none."),
    )
    count = models.PositiveIntegerField(
        _("count"), help_text=_("Number of calls, SMS or faxes that began on that day.")
    )
    succeeded = models.PositiveIntegerField(
        _("succeeded"), help_text=_("Number of these that were answered, delivered or received.")
    )
    debit = models.DecimalField(_("debit"), max_digits=21, decimal_places=6, help_text=_("Total charge by Hoiio."))

    objects: models.Manager[DailyTotal]

    class Meta:
        verbose_name = _("daily total")
        verbose_name_plural = _("daily totals")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["day", "account", "traffic", "currency"], name="hoiio_total_day"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.account} {self.traffic} {self.currency}".rstrip()

"""High-water marks: how far reconciliation has got."""

from __future__ import annotations

from datetime import datetime

from django.db import models, router
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import Channel
from django_hoiio.parsing.parameters import ACCOUNT_LENGTH

from .transactions import BaseQuerySet


class HighWaterMarkQuerySet(BaseQuerySet["HighWaterMark"]):
    def of(self, account: str, channel: Channel) -> HighWaterMark:
        """Return the mark of a channel; an unsaved one if there is none."""
        named = {"account": account, "channel": channel.value}
        return self.filter(**named).first() or self.model(**named)


class HighWaterMark(models.Model):
    """The moment up to which an account's calls, SMS or faxes were fetched from Hoiio. It only moves forward."""

    account = models.CharField(
        _("account"), max_length=ACCOUNT_LENGTH, help_text=_("The account in HOIIO['ACCOUNTS'].")
    )
    channel = models.CharField(
        _("channel"), max_length=8, choices=Channel.choices, help_text=_("The history that was read.")
    )
    up_to = models.DateTimeField(
        _("up to"), null=True, blank=True, help_text=_("The history has been read up to then.")
    )
    overdue_up_to = models.DateTimeField(
        _("overdue up to"), null=True, blank=True, help_text=_("Transactions that were due by then have been polled.")
    )

    objects = HighWaterMarkQuerySet.as_manager()

    class Meta:
        verbose_name = _("high-water mark")
        verbose_name_plural = _("high-water marks")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["account", "channel"], name="hoiio_mark_channel")]

    def __str__(self) -> str:
        return f"{self.account} {self.channel}"

    def move(self, field: str, moment: datetime) -> None:
        """Move one of the two moments forward, never back, even if another process has moved it."""
        using = router.db_for_write(type(self))
        marks = type(self).objects.using(using)
        mark, _is_new = marks.get_or_create(account=self.account, channel=self.channel)
        is_behind = Q(**{field: None}) | Q(**{f"{field}__lt": moment})
        marks.filter(is_behind, pk=mark.pk).update(**{field: moment})
        mark.refresh_from_db(using=using)
        self.up_to, self.overdue_up_to = mark.up_to, mark.overdue_up_to

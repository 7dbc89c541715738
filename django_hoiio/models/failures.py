"""The failure log of receivers."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .notifications import Notification
from .transactions import BaseQuerySet

# Longer receiver names are cut.
RECEIVER_LENGTH = 255


class ReceiverFailureQuerySet(BaseQuerySet["ReceiverFailure"]):
    def unresolved(self) -> ReceiverFailureQuerySet:
        """Return the failures whose receiver has not succeeded since."""
        return self.filter(resolved_at=None)


class ReceiverFailure(models.Model):
    """The failure log: a receiver that failed for one notification."""

    notification = models.ForeignKey(
        Notification,
        models.CASCADE,
        related_name="failures",
        verbose_name=_("notification"),
        help_text=_("The notification for which the receiver failed."),
    )
    signal = models.CharField(_("signal"), max_length=32, help_text=_("The signal that the receiver is connected to."))
    receiver = models.CharField(
        _("receiver"),
        max_length=RECEIVER_LENGTH,
        help_text=_("The receiver's dispatch_uid, or else its module and qualified name."),
    )
    attempts = models.PositiveIntegerField(
        _("attempts"), default=0, help_text=_("The number of attempts, counted before each attempt.")
    )
    traceback = models.TextField(_("traceback"), blank=True, help_text=_("The traceback of the latest failure."))
    failed_at = models.DateTimeField(
        _("failed at"), null=True, blank=True, help_text=_("When the receiver last failed.")
    )
    resolved_at = models.DateTimeField(
        _("resolved at"), null=True, blank=True, help_text=_("When a retry succeeded; empty if none has.")
    )

    objects = ReceiverFailureQuerySet.as_manager()

    class Meta:
        verbose_name = _("failed receiver")
        verbose_name_plural = _("failed receivers")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["notification", "signal", "receiver"], name="hoiio_failure_receiver"),
        ]
        indexes = [models.Index(fields=["resolved_at"], name="hoiio_failure_resolved")]

    def __str__(self) -> str:
        return f"{self.signal} → {self.receiver}"

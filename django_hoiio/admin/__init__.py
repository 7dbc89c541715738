"""The read-only admin of notifications, transactions, receiver failures and daily totals."""

from __future__ import annotations

from django.contrib import admin

from django_hoiio.models import Call, DailyTotal, Fax, Notification, ReceiverFailure, Sms

from .failures import ReceiverFailureAdmin
from .notifications import NotificationAdmin
from .totals import DailyTotalAdmin
from .transactions import CallAdmin, FaxAdmin, SmsAdmin

__all__ = [
    "CallAdmin",
    "DailyTotalAdmin",
    "FaxAdmin",
    "NotificationAdmin",
    "ReceiverFailureAdmin",
    "SmsAdmin",
]

admin.site.register(Notification, NotificationAdmin)
admin.site.register(Call, CallAdmin)
admin.site.register(Sms, SmsAdmin)
admin.site.register(Fax, FaxAdmin)
admin.site.register(ReceiverFailure, ReceiverFailureAdmin)
admin.site.register(DailyTotal, DailyTotalAdmin)

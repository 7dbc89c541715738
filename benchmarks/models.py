"""The tables of the candidates that django_hoiio is compared with: what the task needs, and nothing more."""

from __future__ import annotations

from django.db import models


class PlainNotification(models.Model):
    received_at = models.DateTimeField(db_index=True)
    txn_ref = models.CharField(max_length=64, db_index=True)
    kind = models.CharField(max_length=32)
    query = models.TextField()
    body = models.TextField()


class PlainSms(models.Model):
    txn_ref = models.CharField(max_length=64, unique=True)
    sms_status = models.CharField(max_length=64)
    tag = models.CharField(max_length=256)
    dest = models.CharField(max_length=64)
    date = models.DateTimeField()
    split_count = models.IntegerField()
    currency = models.CharField(max_length=8)
    rate = models.DecimalField(max_digits=15, decimal_places=6)
    debit = models.DecimalField(max_digits=15, decimal_places=6)
    updated_at = models.DateTimeField()

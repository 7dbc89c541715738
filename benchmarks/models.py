"""The minimal tables of the candidates that django_hoiio is compared with."""

from __future__ import annotations

from django.db import models


class PlainNotification(models.Model):
    received_at = models.DateTimeField()
    txn_ref = models.CharField(max_length=64)
    kind = models.CharField(max_length=32)
    query = models.TextField()
    body = models.TextField()

    objects: models.Manager[PlainNotification]

    class Meta:
        # Not `db_index`, which makes a second one for LIKE on PostgreSQL.
        indexes = [
            models.Index(fields=["received_at"], name="plain_received_at"),
            models.Index(fields=["txn_ref"], name="plain_txn_ref"),
        ]


class PlainSms(models.Model):
    txn_ref = models.CharField(max_length=64)
    sms_status = models.CharField(max_length=64)
    tag = models.CharField(max_length=256)
    dest = models.CharField(max_length=64)
    date = models.DateTimeField()
    split_count = models.IntegerField()
    currency = models.CharField(max_length=8)
    rate = models.DecimalField(max_digits=15, decimal_places=6)
    debit = models.DecimalField(max_digits=15, decimal_places=6)
    updated_at = models.DateTimeField()

    objects: models.Manager[PlainSms]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["txn_ref"], name="plain_sms_txn_ref")]

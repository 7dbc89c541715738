from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from django_hoiio.enums import Kind
from django_hoiio.ingest import ingest
from django_hoiio.models import MODEL_OF_KIND, Call, ClosedDay, Fax, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.parsing import ParsedNotification
from django_hoiio.parsing.parameters import PARAMETERS, suffix_of
from tests.conftest import raw_notification

MODELS_OF_THE_APP = list(apps.get_app_config("django_hoiio").get_models())
TRANSACTIONS: list[type[Transaction]] = [Call, Sms, Fax]

# Columns that a test may fill without a notification.
NEEDED = {"created_at": timezone.now(), "updated_at": timezone.now()}


def test_app_has_the_documented_models() -> None:
    names = {model.__name__ for model in MODELS_OF_THE_APP}

    assert names == {
        "Notification",
        "Call",
        "Sms",
        "Fax",
        "ReceiverFailure",
        "HighWaterMark",
        "IvrRun",
        "DailyTotal",
        "ClosedDay",
    }


@pytest.mark.parametrize("model", MODELS_OF_THE_APP)
def test_each_field_has_a_name_and_a_help_text(model: type[models.Model]) -> None:
    for field in model._meta.concrete_fields:
        if not field.primary_key:
            assert field.help_text, field
            assert str(field.verbose_name) != field.name or "_" not in field.name, field


@pytest.mark.parametrize("model", MODELS_OF_THE_APP)
def test_constraints_and_indexes_have_the_prefix_hoiio(model: type[models.Model]) -> None:
    names = [named.name for named in (*model._meta.constraints, *model._meta.indexes)]

    assert names
    assert all(name.startswith("hoiio_") for name in names)
    assert not [field for field in model._meta.concrete_fields if field.db_index and not field.is_relation]


def test_permissions_are_unchanged() -> None:
    assert [codename for codename, _ in Notification._meta.permissions] == [
        "view_personal_data",
        "view_recordings",
        "view_raw",
        "retry_receivers",
        "dispatch",
        "reconcile",
        "export",
    ]
    assert {model._meta.default_permissions for model in MODELS_OF_THE_APP} == {("view",)}


@pytest.mark.parametrize("model", TRANSACTIONS)
def test_every_reported_field_can_be_reported(model: type[Transaction]) -> None:
    derived = {"is_final", "remote_number", "remote_suffix"}
    columns = {field.name for field in model._meta.concrete_fields}
    not_reported = {
        "id",
        "account",
        "txn_ref",
        "notification_uuid",
        "part",
        "created_at",
        "updated_at",
        "redacted_at",
        "version",
        "history_is_whole",
        "outcome",
    }

    assert set(model.reported) == columns - not_reported
    assert set(model.reported) - derived <= set(ParsedNotification._fields)
    assert len(set(model.reported)) == len(model.reported)


def test_every_parameter_goes_to_a_field_that_some_model_has() -> None:
    fields = {parameter.field for parameter in PARAMETERS.values()} - {None}

    assert fields == {name for model in TRANSACTIONS for name in model.reported} - {
        "direction",
        "is_final",
        "remote_number",
        "remote_suffix",
    } | {"txn_ref"}


@pytest.mark.parametrize("model", TRANSACTIONS)
def test_longest_value_that_is_read_fits_its_column(model: type[Transaction]) -> None:
    for parameter in PARAMETERS.values():
        if parameter.field not in model.reported:
            continue
        column = model._meta.get_field(parameter.field)
        if isinstance(column, models.CharField) and column.max_length:
            assert parameter.read("9" * column.max_length) == "9" * column.max_length
            with pytest.raises(ValueError, match="is longer than"):
                parameter.read("9" * (column.max_length + 1))


def test_every_kind_but_the_unknown_has_a_model() -> None:
    assert set(MODEL_OF_KIND) == set(Kind) - {Kind.UNKNOWN}


@pytest.mark.django_db
@pytest.mark.parametrize("model", TRANSACTIONS)
def test_transaction_is_unique_by_account_and_reference_but_not_without_one(model: type[Transaction]) -> None:
    rows: Any = model._default_manager
    rows.create(txn_ref="AA-1", **NEEDED)
    rows.create(txn_ref="AA-1", account="second", **NEEDED)
    rows.create(txn_ref=None, **NEEDED)
    rows.create(txn_ref=None, **NEEDED)

    with pytest.raises(IntegrityError), transaction.atomic():
        rows.create(txn_ref="AA-1", **NEEDED)


@pytest.mark.django_db
def test_rows_are_displayed_by_reference_and_never_by_number() -> None:
    content = "from=%2B6511111111&msg=secret"
    with_reference = ingest(raw_notification("any", "", f"txn_ref=AA-SI-1&{content}")).notification
    without = ingest(raw_notification("any", "", content)).notification
    of_session = ingest(raw_notification("any", "", "session=S1")).notification

    assert [str(row) for row in (with_reference, without, of_session)] == [
        "AA-SI-1",
        str(without.uuid),
        "S1",
    ]
    assert sorted(str(row) for row in Sms.objects.all()) == sorted(["AA-SI-1", str(without.uuid)])
    failure = ReceiverFailure(notification=without, signal="sms_received", receiver="shop.receivers.reply")
    assert str(failure) == "sms_received → shop.receivers.reply"
    assert str(ClosedDay(day=date(2026, 1, 31))) == "2026-01-31"


@pytest.mark.django_db
def test_querysets_find_the_documented_rows() -> None:
    old = ingest(
        raw_notification("any", "", "txn_ref=AA-S-1", received_at=timezone.now() - timedelta(days=2))
    ).notification
    new = ingest(raw_notification("any", "", "txn_ref=AA-S-1")).notification
    Notification.objects.filter(pk=new.pk).update(dispatched_at=None)

    assert list(Notification.objects.older_than(timezone.now() - timedelta(days=1))) == [old]
    assert list(Notification.objects.pending()) == [new]
    open_failure = ReceiverFailure.objects.create(notification=new, signal="unknown", receiver="a")
    ReceiverFailure.objects.create(notification=new, signal="unknown", receiver="b", resolved_at=timezone.now())
    assert list(ReceiverFailure.objects.unresolved()) == [open_failure]


@pytest.mark.django_db
def test_notifications_of_a_transaction_are_in_order_of_reception() -> None:
    now = timezone.now()
    later = ingest(raw_notification("any", "", "txn_ref=AA-S-1&sms_status=delivered", received_at=now)).notification
    earlier = ingest(
        raw_notification("any", "", "txn_ref=AA-S-1&sms_status=queued", received_at=now - timedelta(minutes=1))
    ).notification
    ingest(raw_notification("any", "", "txn_ref=AA-S-1&sms_status=queued", account="second"))

    assert list(Sms.objects.get(account="default").notifications.order_by("received_at")) == [earlier, later]


@pytest.mark.parametrize(
    ("number", "tail"),
    [
        ("+6511111111", "11111111"),
        ("+65 9123-4567", "91234567"),
        ("12345678", "12345678"),
        ("1234567", ""),
        ("HOIIO", ""),
        ("", ""),
    ],
)
def test_suffix_is_the_last_eight_digits(number: str, tail: str) -> None:
    assert suffix_of(number) == tail


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "given", "party"),
    [
        (Sms, {"dest": "+6591234567"}, ("outgoing", "+6591234567", "91234567")),
        (Sms, {"from_number": "+6591234567", "to_number": "+6531234567"}, ("incoming", "+6591234567", "91234567")),
        (Sms, {"from_number": "ACME"}, ("incoming", "ACME", "")),
        (
            Sms,
            {"direction": "outgoing", "from_number": "+6531234567", "dest": "+6591234567"},
            ("outgoing", "+6591234567", "91234567"),
        ),
        (Call, {"dest1": "+6531234567", "dest2": "+6591234567"}, ("outgoing", "+6591234567", "91234567")),
        (Fax, {"dest": "+6591234567", "remote_number": "+6581111111"}, ("", "+6581111111", "")),
        (Fax, {}, ("", "", "")),
    ],
)
def test_row_of_a_project_gets_its_remote_party(model: Any, given: dict[str, str], party: tuple[str, str, str]) -> None:
    row = model.objects.create(**given)

    row.refresh_from_db()
    assert (row.direction, row.remote_number, row.remote_suffix) == party


@pytest.mark.django_db
def test_stored_row_does_not_get_a_remote_party_again() -> None:
    sms = Sms.objects.create(dest="+6591234567")
    Sms.objects.update(remote_number="", remote_suffix="")

    sms.refresh_from_db()
    sms.save()

    assert Sms.objects.get().remote_number == ""

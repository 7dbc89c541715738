"""The row equals the fold of its reports, in whatever order and by whatever way they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hoiio import spool
from django_hoiio.enums import Kind, Rank, Source
from django_hoiio.ingest import ingest, upsert
from django_hoiio.ingest.history import empty_state
from django_hoiio.ingest.outgoing import enter
from django_hoiio.ingest.reports import report_of
from django_hoiio.ingest.state import PARTY, certainty, fold, state_of
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from django_hoiio.parsing import RawNotification, parse
from django_hoiio.recovery import recover, reparse
from django_hoiio.retention import prune
from django_hoiio.retention.forgetting import forget
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc).replace(microsecond=0)
PROPERTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the newer reports one by one, so that these short histories have several pages."""
    monkeypatch.setattr(upsert, "PAGE", 1)


PERSON = "+6591231111"
NUMBERS = st.sampled_from([PERSON, "+6581231111", ""])
OF_ALL = {
    "tag": st.sampled_from(["one", "two"]),
    "debit": st.sampled_from(["0.032", "0.0325", "dear"]),
    "currency": st.sampled_from(["SGD", "USD"]),
    "date": st.sampled_from(["2012-06-06 11:15:20.0", "2012-06-06 11:15:20"]),
    "from": NUMBERS,
    "to": NUMBERS,
    "dest": NUMBERS,
}
CALL_STATUSES = st.sampled_from(["ongoing", "answered", "busy", "martian"])
# Parameters of each model. Together they make every kind and every rank.
PARAMETERS = {
    Sms: {
        **OF_ALL,
        "sms_status": st.sampled_from(["queued", "delivered", "failed", "martian"]),
        "status": st.sampled_from(["success_ok", "error_dest_not_supported"]),
        "bulk_txn_ref": st.just("AA-B-1"),
        "split_count": st.sampled_from(["1", "2"]),
    },
    Call: {
        **OF_ALL,
        "call_state": st.sampled_from(["ringing", "ongoing", "ended"]),
        "call_status_dest1": CALL_STATUSES,
        "dial_status": CALL_STATUSES,
        "transfer_status": CALL_STATUSES,
        "dest2": NUMBERS,
        "room": st.just("R1"),
        "duration": st.sampled_from(["0", "2"]),
        "digits": st.sampled_from(["", "1"]),
    },
    Fax: {
        **OF_ALL,
        "fax_status": CALL_STATUSES,
        "fax_url": st.just("https://example.com/f.pdf"),
        "fax_pages": st.sampled_from(["1", "2"]),
    },
}
ROUTES = {Sms: "sms", Call: "voice", Fax: "fax"}
SENT = {Sms: Kind.SMS_STATUS, Call: Kind.CALL_ENDED, Fax: Kind.FAX_STATUS}

Histories = st.SearchStrategy[list[tuple[dict[str, str], int, str]]]


def histories(model: type[Transaction], ways: Sequence[str]) -> Histories:
    """Return lists of parameters, each with the minute and the way of its report. No two have the same minute."""
    content = st.fixed_dictionaries({}, optional=PARAMETERS[model])
    return st.lists(
        st.tuples(content, st.integers(0, 59), st.sampled_from(ways)),
        min_size=1,
        max_size=7,
        unique_by=lambda report: report[1],
    )


def raw_of_report(
    model: type[Transaction], txn_ref: str, params: dict[str, str], minute: int, way: str
) -> RawNotification:
    source = {"poll": Source.POLL, "spool": Source.SPOOL}.get(way, Source.WEBHOOK)
    return raw_notification(
        ROUTES[model],
        body=urlencode({**params, "txn_ref": txn_ref}),
        received_at=NOW - timedelta(minutes=60 - minute),
        source=source,
    )


def folded(model: type[Transaction], raws: Sequence[RawNotification], before: dict[str, Any]) -> dict[str, Any]:
    """Return the state that a row of `model` should have."""
    reports = [report_of(raw, parse(raw), connection.alias) for raw in raws]
    return fold([report for report in reports if report and report.model is model], {**empty_state(model()), **before})


def check(model: type[Transaction], txn_ref: str, raws: Sequence[RawNotification], sent: dict[str, Any]) -> None:
    """Check the row and the links of its notifications."""
    reports = [report for raw in raws if (report := report_of(raw, parse(raw), connection.alias)) is not None]
    for each in (Call, Sms, Fax):
        own = [report for report in reports if report.model is each]
        row = each.objects.filter(txn_ref=txn_ref, **({"part": ""} if each is Sms else {})).first()
        before = sent if each is model else {}
        if not own and not before:
            assert row is None
            continue
        assert row is not None
        assert state_of(row) == folded(each, raws, before)
        assert row.notifications.count() == len(own)
        if own:
            assert row.version == max(report.version for report in own)
            if not before:
                moments = [report.moment for report in own]
                assert (row.created_at, row.updated_at) == (min(moments), max(moments))


@PROPERTY
@given(data=st.data())
@pytest.mark.parametrize("model", [Sms, Call, Fax])
def test_row_is_the_fold_of_its_reports_in_any_order_and_by_any_way(
    model: type[Transaction], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, settings: Any
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "SPOOL_DIR": folder}
    txn_ref = f"AA-{uuid4()}"
    history = data.draw(histories(model, ["webhook", "webhook", "spool", "poll"]))
    raws = [raw_of_report(model, txn_ref, *report) for report in history]
    # Hoiio may report the same again, and a spool file may be imported twice.
    repeats = data.draw(st.lists(st.sampled_from(raws), max_size=2))
    order = data.draw(st.permutations([*raws, *(raw._replace(uuid=uuid4()) for raw in repeats)]))
    is_sent_after = data.draw(st.none() | st.integers(0, len(order)))
    sent: dict[str, Any] = {}
    for place, raw in enumerate([*order, None]):
        if place == is_sent_after:
            sent = _send(model, txn_ref)
        if raw is not None and raw.source == Source.SPOOL:
            spool.store(raw, folder)
        elif raw is not None:
            ingest(raw)
    recover()
    check(model, txn_ref, order, sent)

    # Nothing is left to fold anew.
    assert reparse(since=NOW - timedelta(hours=2)).states == 0


def _send(model: type[Transaction], txn_ref: str) -> dict[str, Any]:
    """Send what the client would, and return the values that it reports."""
    request = {"dest": PERSON, "tag": "sent"} | ({"msg": "hello"} if model is Sms else {})
    assert enter(SENT[model], "default", txn_ref, request) is not None
    party = {"direction": "outgoing", "remote_number": PERSON, "remote_suffix": "91231111"}
    return {**request, **party}


PARTIES = [
    {},
    {"dest": ""},
    {"dest": "+6511111111"},
    {"from": "", "to": "+6599999999"},
    {"from": "+6522222222", "to": "+6599999999"},
]


# The order in which the three reports arrive.
ORDERS = [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)]


@pytest.mark.parametrize("first", PARTIES)
@pytest.mark.parametrize("second", PARTIES)
def test_remote_party_is_the_one_that_is_known_with_most_certainty(
    first: dict[str, str], second: dict[str, str]
) -> None:
    # Each two parties meet in each order, and all three in one.
    for number, third in enumerate(PARTIES):
        order = ORDERS[(PARTIES.index(first) + PARTIES.index(second) + number) % len(ORDERS)]
        txn_ref = f"AA-{uuid4()}"
        raws = [
            raw_of_report(Sms, txn_ref, {"sms_status": "queued", **party}, minute, "webhook")
            for minute, party in enumerate((first, second, third))
        ]
        for place in order:
            ingest(raws[place])

        check(Sms, txn_ref, raws, {})


@PROPERTY
@given(data=st.data())
def test_notifications_that_name_only_their_session_are_folded_into_its_call(data: st.DataObject) -> None:
    txn_ref, session = f"AA-{uuid4()}", str(uuid4())
    first = {"session": session, "call_state": "ringing", "from": PERSON, "to": ""}
    history = data.draw(histories(Call, ["webhook"]))
    raws = [raw_of_report(Call, txn_ref, first, 0, "webhook")]
    for params, minute, _way in history:
        named = {"session": session} if data.draw(st.booleans()) else {"session": session, "txn_ref": txn_ref}
        body = urlencode({"call_state": "ongoing", **params, **named})
        raws.append(raw_notification("ivr", body=body, received_at=NOW - timedelta(minutes=59 - minute, seconds=30)))
    ingest(raws[0])
    for raw in data.draw(st.permutations(raws[1:])):
        ingest(raw)

    check(Call, txn_ref, raws, {})


@PROPERTY
@given(
    texts=st.lists(
        st.tuples(st.sampled_from(["", "one", "two"]), st.integers(0, 59)), min_size=1, unique_by=lambda text: text[1]
    )
)
def test_each_text_of_a_reference_is_the_fold_of_its_own_notifications(texts: list[tuple[str, int]]) -> None:
    txn_ref = f"AA-SI-{uuid4()}"
    for msg, minute in texts:
        params = {"msg": msg, "from": PERSON, "tag": str(minute)}
        ingest(raw_of_report(Sms, txn_ref, params, minute, "webhook"))

    newest = {msg: str(max(minute for text, minute in texts if text == msg)) for msg, _minute in texts}
    rows = Sms.objects.filter(txn_ref=txn_ref)
    assert dict(rows.values_list("msg", "tag")) == newest
    assert rows.count() == len(newest)
    assert Notification.objects.filter(sms__in=rows).count() == len(texts)


# Histories that are no longer whole.


@PROPERTY
@given(data=st.data())
@pytest.mark.parametrize("model", [Sms, Call, Fax])
@pytest.mark.parametrize("erase", ["forget", "redact", "delete"])
def test_late_report_undoes_nothing_and_brings_nothing_back_after_an_erasure(
    model: type[Transaction], erase: str, data: st.DataObject, settings: Any
) -> None:
    txn_ref = f"AA-{uuid4()}"
    history = data.draw(histories(model, ["webhook"]))
    order = data.draw(st.permutations([raw_of_report(model, txn_ref, *report) for report in history]))
    cut = data.draw(st.integers(1, len(order)))
    for raw in order[:cut]:
        ingest(raw)
    reports = [report for raw in order[:cut] if (report := report_of(raw, parse(raw), connection.alias))]
    ERASURES[erase](settings, data.draw(st.integers(0, 59)))
    for row in [row for each in (Call, Sms, Fax) for row in each.objects.filter(txn_ref=txn_ref)]:
        stored = sum(report.model is type(row) for report in reports)
        assert row.history_is_whole == (row.notifications.filter(redacted_at=None).count() == stored)

    for raw in order[cut:]:
        report = report_of(raw, parse(raw), connection.alias)
        if report is None:
            continue
        rows = report.model._default_manager.filter(**report.key)
        before = rows.first()
        ingest(raw)
        after = rows.get()
        if before is None:
            continue
        assert after.version == max(before.version, report.version)
        assert after.is_final == (after.version >= Rank.FINAL * 10**16)
        if report.version < before.version and not before.history_is_whole:
            _check_that_it_only_filled(before, after)


def _check_that_it_only_filled(before: Transaction, after: Transaction) -> None:
    old, new = state_of(before), state_of(after)
    changed = {name for name in old if old[name] != new[name]}
    if certainty(new) > certainty(old):
        changed -= {*PARTY}
    assert [name for name in changed if old[name] not in ("", None)] == []
    if before.redacted_at is not None:
        assert [name for name in before.personal if not old[name] and new[name]] == []


def _prune(settings: Any, minute: int, *, deletes: bool) -> None:
    """Redact or delete the notifications from before a minute."""
    days = (NOW - timedelta(minutes=60 - minute) - datetime.now(timezone.utc)) / timedelta(days=-1)
    settings.HOIIO = {"RETENTION_DAYS": dict.fromkeys(Kind.values, (None, days) if deletes else (days, None))}
    prune()
    settings.HOIIO = {"REQUIRE_VERIFICATION": False}


ERASURES: dict[str, Callable[[Any, int], Any]] = {
    "forget": lambda settings, minute: forget([PERSON]),
    "redact": lambda settings, minute: _prune(settings, minute, deletes=False),
    "delete": lambda settings, minute: _prune(settings, minute, deletes=True),
}

"""The rule of the fold, on reports that no database stores."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from django_hoiio.enums import Rank
from django_hoiio.ingest.state import Report, applicable, certainty, fill, fold, overwritten, state_of
from django_hoiio.models import Fax, Sms

NOBODY: dict[str, Any] = {}
SENT = {"direction": "outgoing", "remote_number": "", "remote_suffix": ""}
SENT_TO = {"direction": "outgoing", "remote_number": "+6591231111", "remote_suffix": "91231111"}
RECEIVED = {"direction": "incoming", "remote_number": "", "remote_suffix": ""}
RECEIVED_FROM = {"direction": "incoming", "remote_number": "+6581231111", "remote_suffix": "81231111"}
# With increasing certainty.
PARTIES = [NOBODY, SENT, SENT_TO, RECEIVED, RECEIVED_FROM]

LESS_CERTAIN = [(less, more) for place, more in enumerate(PARTIES) for less in PARTIES[:place]]
NOT_LESS_CERTAIN = [(more, less) for place, more in enumerate(PARTIES) for less in PARTIES[: place + 1]]


def report(version: int = 1, **values: Any) -> Report:
    return Report(
        model=Sms,
        account="default",
        key={"txn_ref": "AA-S-1"},
        values=values,
        rank=Rank.BEGUN,
        moment=datetime(2026, 1, 1, tzinfo=timezone.utc),
        version=version,
    )


def test_certainty_counts_the_direction_and_the_number() -> None:
    assert [certainty(party) for party in PARTIES] == [0, 1, 2, 3, 4]
    assert certainty({"direction": "", "remote_number": ""}) == 0


def test_state_has_the_fields_that_notifications_report() -> None:
    fax = Fax(pk=1, txn_ref="AA-F-1", fax_status="answered", fax_pages=2, fax_url="https://example.com/f.pdf", tag="a")

    state = state_of(fax)
    assert set(state) == {*Fax.reported}
    assert {name: value for name, value in state.items() if value} == {
        "fax_status": "answered",
        "fax_pages": 2,
        "fax_url": "https://example.com/f.pdf",
        "tag": "a",
    }


# The fold.


def test_reports_overwrite_the_fields_that_they_report_in_the_order_of_their_versions() -> None:
    state = {"sms_status": "", "tag": "sent", "msg": "hello", "rate": None}
    reports = [report(3, sms_status="delivered"), report(1, sms_status="queued", tag="a"), report(2, tag="")]

    assert fold(reports, state) == {"sms_status": "delivered", "tag": "", "msg": "hello", "rate": None}
    assert state == {"sms_status": "", "tag": "sent", "msg": "hello", "rate": None}


def test_reports_of_one_version_count_in_the_given_order() -> None:
    first, second = report(1, tag="a"), report(1, tag="b")

    assert fold([first, second], {}) == {"tag": "b"}
    assert fold([second, first], {}) == {"tag": "a"}


def test_fold_compares_the_remote_party_with_that_of_the_earlier_reports() -> None:
    reports = [report(1, **RECEIVED_FROM), report(2, **SENT_TO, tag="a")]

    assert fold(reports, NOBODY) == {**RECEIVED_FROM, "tag": "a"}


# A newer report.


@pytest.mark.parametrize(("party", "known"), LESS_CERTAIN)
def test_less_certain_remote_party_is_not_applied(party: dict[str, Any], known: dict[str, Any]) -> None:
    assert applicable(report(**party, tag="a"), {**known, "tag": "b"}) == {"tag": "a"}


@pytest.mark.parametrize(("party", "known"), NOT_LESS_CERTAIN)
def test_remote_party_that_is_not_less_certain_is_applied(party: dict[str, Any], known: dict[str, Any]) -> None:
    assert applicable(report(**party, tag="a"), {**known, "tag": "b"}) == {**party, "tag": "a"}


# A report, and a later one.


def test_later_report_overwrites_the_common_fields() -> None:
    assert overwritten(report(sms_status="queued", tag="a"), report(sms_status="delivered", rate=1)) == {"sms_status"}


@pytest.mark.parametrize(("later", "earlier"), LESS_CERTAIN)
def test_less_certain_later_report_does_not_overwrite_the_remote_party(
    later: dict[str, Any], earlier: dict[str, Any]
) -> None:
    assert overwritten(report(**earlier, tag="a"), report(**later, tag="b")) == {"tag"}


@pytest.mark.parametrize(("later", "earlier"), NOT_LESS_CERTAIN)
def test_later_report_that_is_not_less_certain_overwrites_the_remote_party(
    later: dict[str, Any], earlier: dict[str, Any]
) -> None:
    assert overwritten(report(**earlier, tag="a"), report(**later, tag="b")) == {*earlier, "tag"}


# A late report, if the newer ones are not known.


def test_late_report_fills_what_is_empty_and_not_erased() -> None:
    late = report(sms_status="queued", tag="a", rate=0, debit=1, msg="hello", dest="+6591231111")
    state = {"sms_status": "delivered", "tag": "", "rate": None, "debit": 0, "msg": "", "dest": ""}

    assert fill(late, state) == {"tag": "a", "rate": 0, "msg": "hello", "dest": "+6591231111"}
    assert fill(late, state, ("msg", "dest")) == {"tag": "a", "rate": 0}


@pytest.mark.parametrize(("known", "party"), LESS_CERTAIN)
def test_more_certain_remote_party_fills_a_less_certain_one(known: dict[str, Any], party: dict[str, Any]) -> None:
    assert fill(report(**party), known) == party


@pytest.mark.parametrize(("known", "party"), NOT_LESS_CERTAIN)
def test_remote_party_that_is_not_more_certain_fills_nothing(known: dict[str, Any], party: dict[str, Any]) -> None:
    assert fill(report(**party), known) == {}


def test_erased_remote_number_is_not_filled() -> None:
    assert fill(report(**RECEIVED_FROM), SENT, ("remote_number", "remote_suffix")) == {"direction": "incoming"}

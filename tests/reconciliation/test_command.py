"""`hoiio_reconcile`: what it prints, how it ends, what stops it, and how often it asks."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from django_hoiio.models import HighWaterMark, Notification, Sms
from django_hoiio.reconciliation import diff
from django_hoiio.reconciliation.reader import RequestBudget
from tests.fake_hoiio import Hoiio

pytestmark = pytest.mark.django_db

EMPTY = {"status": "success_ok", "total_entries_count": "0", "entries_count": "0", "entries": []}
ENTRY = {"txn_ref": "AA-S-1", "sms_status": "delivered", "dest": "+6511111111"}
ONE = {"status": "success_ok", "total_entries_count": "1", "entries_count": "1", "entries": [ENTRY]}
NOTHING = (
    "Asked Hoiio 3 times: 0 entries of history and 0 overdue (0 of them unknown to Hoiio)."
    " Took in 0: 0 were missing, 0 had gone on. 0 could not be asked.\n"
)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.client.connection.RETRY_DELAYS", (0, 0))


def run(*arguments: str) -> tuple[int, str, str]:
    """The exit code, and what is printed."""
    out, errors = StringIO(), StringIO()
    try:
        call_command("hoiio_reconcile", *arguments, stdout=out, stderr=errors)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), errors.getvalue()
    return 0, out.getvalue(), errors.getvalue()


def test_one_line_says_what_was_done(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY, ONE, EMPTY)

    expected = NOTHING.replace("0 entries", "1 entries").replace("Took in 0: 0 were", "Took in 1: 1 were")
    assert run("--account", "default") == (0, expected, "")


def test_dry_run_says_would(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY, ONE, EMPTY)

    _, printed, _ = run("--account", "default", "--dry-run")

    assert " Would take in 1: 1 were missing, 0 had gone on." in printed
    assert (Sms.objects.count(), Notification.objects.count(), HighWaterMark.objects.count()) == (0, 0, 0)


def test_every_account_that_can_ask_is_asked_for(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY)

    run()

    assert [request.params["app_id"] for request in hoiio.requests] == ["app"] * 3 + ["other-app"] * 3


def test_since_is_where_reading_begins(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY)
    begin = datetime.now(timezone.utc) - timedelta(days=2)

    run("--account", "second", "--since", begin.isoformat())

    written = begin.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")
    asked = [request.params["from"] for request in hoiio.requests if request.path.endswith("sms/get_history")]
    assert asked[0] == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "yesterday"], "--since is 'yesterday'; write it as 2026-01-31 or 2026-01-31T12:00."),
        (["--since", "9000-01-01"], "--since is '9000-01-01', which is in the future."),
        (["--account", "x"], "HOIIO['ACCOUNTS'] has no account 'x'; it has default, second."),
    ],
)
def test_wrong_argument_is_named(hoiio: Hoiio, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError) as raised:
        run(*arguments)

    assert (str(raised.value), hoiio.requests) == (message, [])


def test_project_without_an_account_that_can_ask_is_told_what_to_write(settings: Any) -> None:
    settings.HOIIO = {}

    with pytest.raises(CommandError) as raised:
        run()

    assert str(raised.value) == "No account has credentials; write APP_ID and ACCESS_TOKEN into HOIIO['ACCOUNTS']."


def test_database_that_is_away_is_said_without_what_it_says(hoiio: Hoiio, monkeypatch: pytest.MonkeyPatch) -> None:
    hoiio.says(EMPTY, ONE, EMPTY)

    def fail(entry: object) -> None:
        raise OperationalError("+6511111111 is locked")

    monkeypatch.setattr(diff, "_rows_of", fail)
    with pytest.raises(CommandError) as raised:
        run("--account", "default")

    assert str(raised.value) == "The database is away (OperationalError); run it again later."


# Bad answers: nothing half-written, a clear sentence, exit code 1.

NOT_HOIIOS = (
    "voice/get_history of account 'default': The answer to voice/get_history is not Hoiio's: HTTP {}, and no JSON"
    " object with a status word. Check HOIIO['API_URL']. Hoiio may have carried the request out.\n"
)
REFUSED = (
    "voice/get_history of account 'default': Hoiio refused voice/get_history with error_invalid_access_token;"
    " check APP_ID and ACCESS_TOKEN in HOIIO['ACCOUNTS'].\n"
)
SUMMARY = (
    "Asked Hoiio {} times: 0 entries of history and 0 overdue (0 of them unknown to Hoiio)."
    " Took in 0: 0 were missing, 0 had gone on. {} could not be asked.\n"
)


@pytest.mark.parametrize(
    ("answer", "asked", "sentences"),
    [
        (b"<html>", 1, [NOT_HOIIOS.format(200)]),
        ((500, b"oops", {}), 1, [NOT_HOIIOS.format(500)]),
        (
            {"status": "error_invalid_access_token"},
            1,
            [REFUSED],
        ),
        # Each path has a limit of its own.
        (
            {"status": "error_rate_limit_exceeded"},
            3,
            [
                f"{channel}/get_history of account 'default': Hoiio refused {channel}/get_history with"
                " error_rate_limit_exceeded; wait a minute before the next one.\n"
                for channel in ("voice", "sms", "fax")
            ],
        ),
        (
            {"status": "success_ok", "entries": [ENTRY, "AA-S-2"]},
            3,
            [
                f"{channel}/get_history of account 'default': Hoiio answered {channel}/get_history with entries that"
                " are no list of objects; try again later.\n"
                for channel in ("voice", "sms", "fax")
            ],
        ),
    ],
)
def test_bad_answer_writes_nothing_and_is_a_clear_sentence(
    hoiio: Hoiio, answer: object, asked: int, sentences: list[str]
) -> None:
    hoiio.says(answer)

    assert run("--account", "default") == (1, SUMMARY.format(asked, asked), "".join(sentences))
    assert (Sms.objects.count(), Notification.objects.count(), HighWaterMark.objects.count()) == (0, 0, 0)


def test_answer_that_does_not_come_in_time_writes_nothing(hoiio: Hoiio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.client.HoiioClient.__init__.__kwdefaults__", {"timeouts": (5.0, 0.05)})
    hoiio.says(EMPTY)
    hoiio.meanwhile = lambda request: time.sleep(0.3)

    code, printed, sentence = run("--account", "default")

    assert (code, printed) == (1, SUMMARY.format(1, 1))
    assert sentence == (
        "voice/get_history of account 'default': No answer of Hoiio's to voice/get_history: ReadTimeout."
        " Hoiio may have carried it out.\n"
    )
    assert HighWaterMark.objects.count() == 0


def test_run_after_a_bad_answer_carries_on(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY, ONE, {"status": "error_rate_limit_exceeded"})
    first, _, _ = run("--account", "default")
    hoiio.says(EMPTY)

    assert (first, run("--account", "default")[0], Sms.objects.count()) == (1, 0, 1)
    assert HighWaterMark.objects.filter(channel="fax").exists()


# The budget.


class Clock:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_budget_waits_until_a_minute_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("django_hoiio.reconciliation.reader.time", clock)
    budget = RequestBudget(2)

    spent = []
    for pause in (0, 10, 0, 0, 100, 0, 0):
        clock.now += pause
        budget.spend()
        spent.append(clock.now - 1000)

    assert spent == [0, 10, 60, 70, 170, 170, 230]


def test_command_keeps_to_the_budget(hoiio: Hoiio, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("django_hoiio.reconciliation.reader.time", clock)
    settings.HOIIO = {**settings.HOIIO, "RECONCILE_REQUESTS_PER_MINUTE": 2}
    hoiio.says(EMPTY)

    assert run("--account", "default") == (0, NOTHING, "")
    assert clock.slept == [60.0]

"""Output, exit codes and request limit of `hoiio_reconcile`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from requests import ReadTimeout

from django_hoiio.models import HighWaterMark, Notification, Sms
from django_hoiio.reconciliation.reader import RequestBudget
from tests.conftest import failing
from tests.fake_hoiio import Hoiio, Request

pytestmark = pytest.mark.django_db

EMPTY = {"status": "success_ok", "total_entries_count": "0", "entries_count": "0", "entries": []}
ENTRY = {"txn_ref": "AA-S-1", "sms_status": "delivered", "dest": "+6511111111"}
ONE = {"status": "success_ok", "total_entries_count": "1", "entries_count": "1", "entries": [ENTRY]}
NOTHING = (
    "Sent 3 requests: 0 entries of history and 0 overdue (0 of them unknown to Hoiio)."
    " Changed 0: 0 were missing, 0 had another status. 0 requests failed.\n"
)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.client.connection.RETRY_DELAYS", (0, 0))


def run(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code, the output and the error output."""
    out, errors = StringIO(), StringIO()
    try:
        call_command("hoiio_reconcile", *arguments, stdout=out, stderr=errors)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), errors.getvalue()
    return 0, out.getvalue(), errors.getvalue()


def test_summary_is_one_line(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY, ONE, EMPTY)

    expected = NOTHING.replace("0 entries", "1 entries").replace("Changed 0: 0 were", "Changed 1: 1 were")
    assert run("--account", "default") == (0, expected, "")


def test_dry_run_reports_what_would_change(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY, ONE, EMPTY)

    _, printed, _ = run("--account", "default", "--dry-run")

    assert " Would change 1: 1 were missing, 0 had another status." in printed
    assert (Sms.objects.count(), Notification.objects.count(), HighWaterMark.objects.count()) == (0, 0, 0)


def test_every_account_with_credentials_is_reconciled(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY)

    run()

    assert [request.params["app_id"] for request in hoiio.requests] == ["app"] * 3 + ["other-app"] * 3


def test_since_is_the_beginning_of_the_history(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY)
    begin = datetime.now(timezone.utc) - timedelta(days=2)

    run("--account", "second", "--since", begin.isoformat())

    written = begin.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")
    requested = [request.params["from"] for request in hoiio.requests if request.path.endswith("sms/get_history")]
    assert requested[0] == written


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


def test_project_that_only_receives_has_nothing_to_reconcile(hoiio: Hoiio, settings: Any) -> None:
    settings.HOIIO = {"ACCOUNTS": {"default": {"ACCESS_TOKEN": "secret"}}}

    said = run()

    sentence = "Nothing to reconcile: no account in HOIIO['ACCOUNTS'] has APP_ID and ACCESS_TOKEN.\n"
    assert (said, hoiio.requests) == ((0, sentence, ""), [])


def test_database_that_is_away_is_reported_without_its_message(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY, ONE, EMPTY)

    with (
        failing("SELECT django_hoiio_sms", OperationalError("+6511111111 is locked")),
        pytest.raises(CommandError) as raised,
    ):
        run("--account", "default")

    assert str(raised.value) == "The database is unavailable (OperationalError); run the command again later."


# Bad responses: nothing is half-written, a clear message, exit code 1.

NOT_HOIIOS = (
    "voice/get_history of account 'default': The response to voice/get_history is not Hoiio's: HTTP {}, and no JSON"
    " object with a status. Check HOIIO['API_URL']. Hoiio may have carried the request out.\n"
)
REFUSED = (
    "voice/get_history of account 'default': Hoiio refused voice/get_history with error_invalid_access_token;"
    " check APP_ID and ACCESS_TOKEN in HOIIO['ACCOUNTS'].\n"
)
SUMMARY = (
    "Sent {} requests: 0 entries of history and 0 overdue (0 of them unknown to Hoiio)."
    " Changed 0: 0 were missing, 0 had another status. {} requests failed.\n"
)


@pytest.mark.parametrize(
    ("answer", "requested", "sentences"),
    [
        (b"<html>", 1, [NOT_HOIIOS.format(200)]),
        ((500, b"oops", {}), 1, [NOT_HOIIOS.format(500)]),
        (
            {"status": "error_invalid_access_token"},
            1,
            [REFUSED],
        ),
        # Each path has its own limit.
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
                " are not a list of objects; try again later.\n"
                for channel in ("voice", "sms", "fax")
            ],
        ),
    ],
)
def test_bad_response_writes_nothing_and_is_reported_clearly(
    hoiio: Hoiio, answer: object, requested: int, sentences: list[str]
) -> None:
    hoiio.says(answer)

    assert run("--account", "default") == (1, SUMMARY.format(requested, requested), "".join(sentences))
    assert (Sms.objects.count(), Notification.objects.count(), HighWaterMark.objects.count()) == (0, 0, 0)


def test_late_response_writes_nothing(hoiio: Hoiio) -> None:
    def give_up(request: Request) -> None:
        raise ReadTimeout

    hoiio.meanwhile = give_up

    code, printed, sentence = run("--account", "default")

    assert (code, printed) == (1, SUMMARY.format(1, 1))
    assert sentence == (
        "voice/get_history of account 'default': No response from Hoiio to voice/get_history: ReadTimeout."
        " Hoiio may have carried it out.\n"
    )
    assert HighWaterMark.objects.count() == 0


def test_run_after_a_bad_response_continues(hoiio: Hoiio) -> None:
    hoiio.says(EMPTY, ONE, {"status": "error_rate_limit_exceeded"})
    first, _, _ = run("--account", "default")
    hoiio.says(EMPTY)

    assert (first, run("--account", "default")[0], Sms.objects.count()) == (1, 0, 1)
    assert HighWaterMark.objects.filter(channel="fax").exists()


# The request limit.


class Clock:
    """A clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_budget_waits_until_the_limit_per_minute_allows_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("django_hoiio.reconciliation.reader.time", clock)
    budget = RequestBudget(2)

    spent = []
    for pause in (0, 10, 0, 0, 100, 0, 0):
        clock.now += pause
        budget.spend()
        spent.append(clock.now - 1000)

    assert spent == [0, 10, 60, 70, 170, 170, 230]


def test_command_respects_the_request_limit(hoiio: Hoiio, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("django_hoiio.reconciliation.reader.time", clock)
    settings.HOIIO = {**settings.HOIIO, "RECONCILE_REQUESTS_PER_MINUTE": 2}
    hoiio.says(EMPTY)

    assert run("--account", "default") == (0, NOTHING, "")
    assert clock.slept == [60.0]

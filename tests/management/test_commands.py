from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from django_hoiio import spool
from django_hoiio.enums import Route, VerifiedBy
from django_hoiio.ingest import ingest
from django_hoiio.management import progress_bar
from django_hoiio.management.commands import hoiio_recover
from django_hoiio.models import Notification
from django_hoiio.recovery import RecoveryResult
from django_hoiio.verification import verify
from tests.conftest import raw_notification

STATUS = "txn_ref=AA-S-1&sms_status=delivered"


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("command", sorted(name for name, app in get_commands().items() if app == "django_hoiio"))
def test_help_can_be_printed_on_a_terminal_without_unicode(command: str) -> None:
    assert load_command_class("django_hoiio", command).create_parser("manage.py", command).format_help().isascii()


def test_hoiio_urls_prints_one_url_for_each_route(settings: Any) -> None:
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com", "ACCOUNTS": {"second": {}}}

    lines = run("hoiio_urls", "--account", "second", "--pass-on", "username=bob", "--pass-on", "x=a=b").splitlines()

    assert [line.split()[0] for line in lines] == Route.values
    for line in lines:
        route, url = line.split()
        token = url.removeprefix(f"https://my.example.com/hoiio/{route}/").rstrip("/")
        verdict = verify(Route(route), token, b"", None)
        assert (verdict.verified_by, verdict.account) == (VerifiedBy.URL, "second")
        assert verdict.pass_on == {"username": "bob", "x": "a=b"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pass-on", "bob"], "--pass-on is 'bob'; write it as NAME=VALUE."),
        (["--pass-on", "=bob"], "--pass-on is '=bob'; write it as NAME=VALUE."),
        (["--account", "x"], "HOIIO['ACCOUNTS'] has no account 'x'; it has default."),
    ],
)
def test_hoiio_urls_reports_a_wrong_argument(settings: Any, arguments: list[str], message: str) -> None:
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com"}

    with pytest.raises(CommandError) as raised:
        run("hoiio_urls", *arguments)
    assert str(raised.value) == message


def test_hoiio_urls_needs_a_public_url(settings: Any) -> None:
    settings.HOIIO = {}

    with pytest.raises(
        CommandError, match=r"Hoiio needs an absolute URL; write for example 'https://my\.example\.com'"
    ):
        run("hoiio_urls")


def test_hoiio_urls_without_included_urls_ends_with_the_remedy(settings: Any) -> None:
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com"}
    settings.ROOT_URLCONF = "django_hoiio.api.urls"

    with pytest.raises(CommandError) as raised:
        run("hoiio_urls")
    assert str(raised.value) == (
        "django_hoiio.urls is not included in 'django_hoiio.api.urls'; add path('hoiio/', include('django_hoiio.urls'))"
        " to its urlpatterns, or name another URLconf: `urlconf` of notify_url, --urlconf of hoiio_urls."
    )


def test_hoiio_urls_reads_another_urlconf(settings: Any) -> None:
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com"}
    settings.ROOT_URLCONF = "django_hoiio.api.urls"

    lines = run("hoiio_urls", "--urlconf", "tests.urls").splitlines()

    assert [line.split()[1].split("/")[:5] for line in lines] == [
        ["https:", "", "my.example.com", "hoiio", route] for route in Route.values
    ]
    with pytest.raises(CommandError, match="No module named 'missing'"):
        run("hoiio_urls", "--urlconf", "missing.urls")


@pytest.mark.django_db
def test_hoiio_recover_prints_its_result(settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": str(tmp_path)}
    spool.store(raw_notification("any", "", STATUS), tmp_path)

    assert run("hoiio_recover") == f"{RecoveryResult(stored=1)}\n"


@pytest.fixture
def _handled_signals() -> Iterator[None]:
    """Restore the signal handlers, and fail a test that hangs."""

    def hangs(*_: object) -> None:
        raise TimeoutError

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(10)
    yield
    signal.alarm(0)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handled_signals")
def test_hoiio_recover_ends_its_loop_at_a_signal_in_any_function(monkeypatch: pytest.MonkeyPatch) -> None:
    def recover(**_: object) -> RecoveryResult:
        sys.setprofile(lambda *_: signal.raise_signal(signal.SIGTERM))
        return RecoveryResult()

    monkeypatch.setattr(hoiio_recover, "recover", recover)
    monkeypatch.setattr(hoiio_recover, "EVERY_SECOND", 0.01)
    monkeypatch.setattr("django_hoiio.ivr.recover", lambda: 0)
    try:
        assert run("hoiio_recover", "--loop") == ""
    finally:
        sys.setprofile(None)


@pytest.mark.django_db
def test_hoiio_recover_exits_with_1_if_something_is_left(settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": str(tmp_path)}
    (tmp_path / "poison.json").write_text("{")

    with pytest.raises(SystemExit) as raised:
        run("hoiio_recover", "--ivr")
    assert raised.value.code == 1


@pytest.mark.django_db
def test_hoiio_reparse_prints_what_it_changed_or_would_change() -> None:
    ingest(raw_notification("any", "", STATUS))
    Notification.objects.update(problems={"state": "could not be stored: ValueError"})

    would = "Parsed 1 notifications again. Would change 1 of them and 0 calls, SMS and faxes; 0 failed, 0 were dispatched.\n"
    assert run("hoiio_reparse", "--dry-run", "--dispatch") == would
    done = "Parsed 1 notifications again. Changed 1 of them and 0 calls, SMS and faxes; 0 failed, 1 were dispatched.\n"
    assert run("hoiio_reparse", "--dispatch") == done
    assert run("hoiio_reparse", "--since", "2999-01-01").startswith("Parsed 0 notifications")
    assert run("hoiio_reparse", "--since", "2000-01-01T12:00").startswith("Parsed 1 notifications")


@pytest.mark.django_db
def test_hoiio_reparse_exits_with_1_if_a_notification_failed() -> None:
    ingest(raw_notification("any", "", STATUS))
    Notification.objects.update(route="mms")

    with pytest.raises(SystemExit) as raised:
        run("hoiio_reparse")
    assert raised.value.code == 1


def test_hoiio_reparse_refuses_an_invalid_date() -> None:
    with pytest.raises(CommandError) as raised:
        run("hoiio_reparse", "--since", "monday")
    assert str(raised.value) == "--since is 'monday'; write it as 2026-01-31 or 2026-01-31T12:00."


@pytest.mark.django_db
def test_progress_bar_yields_every_item_and_prints_nothing_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        ingest(raw_notification("any", "", STATUS, received_at=datetime.now(timezone.utc))).notification
        for _ in range(3)
    ]

    assert list(progress_bar(Notification.objects.order_by("pk"), "rows")) == rows
    assert list(progress_bar([1, 2], "things")) == [1, 2]
    assert capsys.readouterr() == ("", "")

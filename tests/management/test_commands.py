from __future__ import annotations

from datetime import datetime, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_hoiio import inbox, spool
from django_hoiio.enums import Route, VerifiedBy
from django_hoiio.management import bar
from django_hoiio.models import Notification
from django_hoiio.recovery import RecoveryResult
from django_hoiio.verification import verify
from tests.conftest import raw_notification

STATUS = "txn_ref=AA-S-1&sms_status=delivered"


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


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
def test_hoiio_urls_says_what_is_wrong(settings: Any, arguments: list[str], message: str) -> None:
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


@pytest.mark.django_db
def test_hoiio_recover_says_what_it_did(settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": str(tmp_path)}
    spool.store(raw_notification("any", "", STATUS), tmp_path)

    assert run("hoiio_recover") == f"{RecoveryResult(stored=1)}\n"


@pytest.mark.django_db
def test_hoiio_recover_exits_with_1_when_is_incomplete(settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": str(tmp_path)}
    (tmp_path / "poison.json").write_text("{")

    with pytest.raises(SystemExit) as raised:
        run("hoiio_recover", "--ivr")
    assert raised.value.code == 1


@pytest.mark.django_db
def test_hoiio_reparse_says_what_it_did_or_would_do() -> None:
    inbox.receive(raw_notification("any", "", STATUS))
    Notification.objects.update(problems={"state": "could not be stored: ValueError"})

    would = "Read 1 notifications again. Would change 1 of them and 0 calls, SMS and faxes; 0 failed, 0 were told.\n"
    assert run("hoiio_reparse", "--dry-run", "--tell") == would
    did = "Read 1 notifications again. Changed 1 of them and 0 calls, SMS and faxes; 0 failed, 1 were told.\n"
    assert run("hoiio_reparse", "--tell") == did
    assert run("hoiio_reparse", "--since", "2999-01-01").startswith("Read 0 notifications")
    assert run("hoiio_reparse", "--since", "2000-01-01T12:00").startswith("Read 1 notifications")


@pytest.mark.django_db
def test_hoiio_reparse_exits_with_1_when_one_failed() -> None:
    inbox.receive(raw_notification("any", "", STATUS))
    Notification.objects.update(route="mms")

    with pytest.raises(SystemExit) as raised:
        run("hoiio_reparse")
    assert raised.value.code == 1


def test_hoiio_reparse_needs_a_date() -> None:
    with pytest.raises(CommandError) as raised:
        run("hoiio_reparse", "--since", "monday")
    assert str(raised.value) == "--since is 'monday'; write it as 2026-01-31 or 2026-01-31T12:00."


@pytest.mark.django_db
def test_progress_bar_gives_back_each_thing_and_shows_nothing_off_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        inbox.receive(raw_notification("any", "", STATUS, received_at=datetime.now(timezone.utc))).notification
        for _ in range(3)
    ]

    assert list(bar(Notification.objects.order_by("pk"), "rows")) == rows
    assert list(bar([1, 2], "things")) == [1, 2]
    assert capsys.readouterr() == ("", "")

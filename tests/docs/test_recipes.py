"""Run the recipes of docs/recipes/recipes.rst verbatim, with the sandbox or a loopback server."""

from __future__ import annotations

import errno
import importlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings as project
from django.core.files.storage import FileSystemStorage, storages
from django.core.management import call_command, get_commands
from django.db import connection, connections
from django.test import Client, override_settings
from django.utils import timezone

from django_hoiio.client import HoiioClient
from django_hoiio.ingest import ingest
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.sandbox.real_time import exchange, line
from django_hoiio.signals import call_ended, ivr_ended
from tests import ROOT
from tests.clients import FAX, HANDSET, NUMBER, serving
from tests.conftest import raw_notification
from tests.fake_hoiio import Hoiio

PAGE = (ROOT / "docs/recipes/recipes.rst").read_text(encoding="utf-8")
TIMEOUT = 30


def blocks() -> dict[str, str]:
    """Return the Python files of the page by path, which is the first line of each."""
    codes = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", PAGE, re.MULTILINE)
    lines = [[line[4:] for line in code.rstrip().split("\n")] for code in codes]
    return {first.removeprefix("# "): "\n".join(rest) + "\n" for first, *rest in lines}


@pytest.fixture(scope="module")
def switchboard(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """The app `switchboard`, which has all files of the page: installed, and with the table of its model."""
    root = tmp_path_factory.mktemp("mysite")
    for name, code in blocks().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        with override_settings(INSTALLED_APPS=[*project.INSTALLED_APPS, "switchboard"]):
            model = apps.get_model("switchboard", "Apology")
            with django_db_blocker.unblock(), connection.schema_editor() as editor:
                editor.create_model(model)
            yield
            with django_db_blocker.unblock(), connection.schema_editor() as editor:
                editor.delete_model(model)
    # Remove it, so that it does not affect other tests.
    del apps.all_models["switchboard"], Call.apology  # type: ignore[attr-defined]
    apps.clear_cache()
    get_commands.cache_clear()
    forget(lambda name: True)


@pytest.fixture
def recipe(switchboard: None) -> Iterator[Callable[[str], Any]]:
    """Import a module of the page."""
    yield importlib.import_module
    for signal in (call_ended, ivr_ended):
        signal.disconnect(dispatch_uid="apologise")
    forget(lambda name: name not in ("switchboard", "switchboard.models"))


def forget(is_meant: Callable[[str], bool]) -> None:
    """Unload modules of the page."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("mysite", "switchboard") and is_meant(name):
            del sys.modules[name]


@pytest.fixture
def sandbox(live_server: Any, settings: Any) -> Iterator[str]:
    """Serve a project that uses its own sandbox. Yields the URL."""
    settings.HOIIO = {
        "ACCOUNTS": {"default": {"APP_ID": "app", "ACCESS_TOKEN": "token"}},
        "PUBLIC_URL": live_server.url,
        "API_URL": f"{live_server.url}/sandbox/open/",
    }
    exchange.reset()
    yield live_server.url
    # As in tests/client/test_client_and_sandbox.py.
    line.close()
    assert line.wait(TIMEOUT)


def test_page_has_exactly_the_tested_files() -> None:
    assert list(blocks()) == [
        "switchboard/models.py",
        "switchboard/receivers.py",
        "switchboard/campaigns.py",
        "mysite/settings.py",
        "switchboard/copies.py",
        "switchboard/management/commands/keep_copies.py",
        "switchboard/monitoring.py",
    ]


# Cron.


def cron_lines() -> list[str]:
    return re.findall(r"^    [\d*/]+(?: [\d*/]+){4} (.+)$", PAGE, re.MULTILINE)


def test_commands_of_the_cron_lines_exist() -> None:
    named = [re.findall(r"manage\.py (\w+)", line) for line in cron_lines()]
    own = {path.stem for path in map(Path, blocks()) if path.parent.name == "commands"}

    assert named == [["hoiio_recover"], ["hoiio_reconcile"], ["hoiio_prune"], ["keep_copies"]]
    assert {name for (name,) in named} - own <= set(get_commands())


@pytest.mark.parametrize("line", cron_lines())
@pytest.mark.parametrize(("code", "mailed"), [(0, ""), (1, "1 is left.\nand why\n")])
def test_cron_sends_mail_only_about_failures(line: str, code: int, mailed: str, tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    code_text = f"print('1 is left.', flush=True); print('and why', file=sys.stderr); sys.exit({code})"
    (tmp_path / "manage.py").write_text(f"import sys; {code_text}", encoding="utf-8")

    run = subprocess.run(
        ["sh", "-c", line.replace("/srv/mysite", str(tmp_path))], check=False, capture_output=True, text=True
    )

    assert (run.stdout, run.stderr) == (mailed, "")


# A missed call, answered by an SMS.

APOLOGY = "Sorry that we missed your call. We will call you back."
MISSED = f"txn_ref=AA-C-1&session=S1&call_state=ended&duration=0&from={quote(HANDSET)}&to={quote(NUMBER)}"


@pytest.mark.django_db(transaction=True)
def test_missed_caller_gets_one_sms(sandbox: str, recipe: Any) -> None:
    recipe("switchboard.receivers")
    telephone = Client()

    assert telephone.post("/sandbox/telephone/call/", {"to": NUMBER}).status_code == 200
    assert telephone.post("/sandbox/telephone/hangup/").status_code == 200
    until(lambda: Sms.objects.filter(is_final=True).exists())

    call = Call.objects.get()
    assert (Sms.objects.get().msg, Sms.objects.get().dest, Sms.objects.get().tag) == (
        APOLOGY,
        HANDSET,
        f"missed-{call.txn_ref}",
    )
    assert ReceiverFailure.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_caller_known_only_from_the_history_gets_one_sms(sandbox: str, recipe: Any) -> None:
    recipe("switchboard.receivers")
    exchange.switch(drop_rate=1)
    telephone = Client()
    telephone.post("/sandbox/telephone/call/", {"to": NUMBER})
    telephone.post("/sandbox/telephone/hangup/")
    # Within the second, the call would not be part of the period.
    for transaction in exchange.transactions.values():
        transaction.at -= timedelta(minutes=10)

    for _ in range(2):
        call_command("hoiio_reconcile")

    assert [str(call) for call in Call.objects.missed()] == [str(call) for call in Call.objects.all()]
    assert (Call.objects.count(), Sms.objects.filter(dest=HANDSET).count()) == (1, 1)


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what happens in other threads."""
    give_up = time.monotonic() + TIMEOUT
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert exchange.wait(TIMEOUT)


@pytest.mark.django_db
def test_caller_gets_one_apology_for_repeated_notifications(hoiio: Hoiio, recipe: Any) -> None:
    recipe("switchboard.receivers")

    for _ in range(3):
        ingest(raw_notification("ivr", "", MISSED))

    assert hoiio.request.path == "/open/sms/send"
    assert {name: hoiio.request.params[name] for name in ("dest", "msg", "tag")} == {
        "dest": HANDSET,
        "msg": APOLOGY,
        "tag": "missed-AA-C-1",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(MISSED.replace("duration=0", "duration=1"), id="answered"),
        pytest.param(MISSED.replace("call_state=ended", "call_state=ringing"), id="not over"),
        pytest.param(MISSED.replace(quote(HANDSET), "private"), id="withheld"),
        pytest.param(f"{MISSED}&date=2012-10-30+12%3A20%3A50", id="long ago"),
        pytest.param("txn_ref=AA-C-1&call_status_dest1=busy&dest1=%2B6511111111", id="outgoing"),
        pytest.param("session=S1&call_state=ended", id="of no call"),
    ],
)
def test_other_calls_get_no_sms(body: str, hoiio: Hoiio, recipe: Any) -> None:
    recipe("switchboard.receivers")

    ingest(raw_notification("any", "", body))

    assert (hoiio.requests, ReceiverFailure.objects.count()) == ([], 0)


@pytest.mark.django_db
def test_old_call_without_a_date_gets_no_sms(hoiio: Hoiio, recipe: Any) -> None:
    recipe("switchboard.receivers")

    ingest(raw_notification("ivr", "", MISSED, received_at=timezone.now() - timedelta(hours=2)))

    assert hoiio.requests == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answer", "failures"),
    [({"status": "error_insufficient_credit"}, 1), ({"status": "error_internal_server_error"}, 0)],
)
def test_apology_is_retried_unless_it_may_have_been_sent(answer: Any, failures: int, hoiio: Hoiio, recipe: Any) -> None:
    recipe("switchboard.receivers")
    hoiio.says(answer)

    ingest(raw_notification("ivr", "", MISSED))

    assert (len(hoiio.requests), ReceiverFailure.objects.count()) == (1, failures)


def again(receivers: Any) -> None:
    """Receive the same notification again, and run the receiver again."""
    ingest(raw_notification("ivr", "", MISSED))
    receivers.apologise(call=Call.objects.get())


@pytest.mark.django_db(transaction=True)
def test_apology_that_may_have_been_sent_is_never_sent_again(hoiio: Hoiio, recipe: Any) -> None:
    receivers = recipe("switchboard.receivers")
    hoiio.says({"status": "error_internal_server_error"}, {"status": "success_ok", "txn_ref": "AA-S-1"})
    ingest(raw_notification("ivr", "", MISSED))

    again(receivers)

    assert (len(hoiio.requests), ReceiverFailure.objects.count(), Sms.objects.count()) == (1, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_refused_apology_is_sent_once_by_a_retry(hoiio: Hoiio, recipe: Any) -> None:
    receivers = recipe("switchboard.receivers")
    hoiio.says({"status": "error_insufficient_credit"}, {"status": "success_ok", "txn_ref": "AA-S-1"})
    ingest(raw_notification("ivr", "", MISSED))

    again(receivers)

    assert (len(hoiio.requests), ReceiverFailure.objects.count(), Sms.objects.count()) == (2, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_apology_row_is_committed_before_the_sms_is_sent(hoiio: Hoiio, recipe: Any) -> None:
    recipe("switchboard.receivers")
    seen = []

    def look(request: Any) -> None:
        seen.append(apps.get_model("switchboard", "Apology").objects.count())
        connections.close_all()

    hoiio.meanwhile = look

    ingest(raw_notification("ivr", "", MISSED))

    assert seen == [1]


@pytest.mark.django_db
def test_each_call_without_a_reference_gets_an_apology(hoiio: Hoiio, recipe: Any) -> None:
    receivers = recipe("switchboard.receivers")
    moment = timezone.now()
    common = {"direction": "incoming", "is_final": True, "duration": 0, "created_at": moment, "updated_at": moment}
    for number in (GOOD, LOST):
        tail = number[-8:]
        call = Call.objects.create(notification_uuid=uuid4(), remote_number=number, remote_suffix=tail, **common)
        receivers.apologise(call=call)

    assert [request.params["dest"] for request in hoiio.requests] == [GOOD, LOST]


# A campaign.

GOOD, FAILS, ERRS, SILENT, REFUSED, LOST = (
    "+6511111111",
    "+6500000100",
    "+6500000900",
    "+6500000400",
    "+6500000500",
    "+6522222222",
)


@pytest.mark.django_db(transaction=True)
def test_campaign_is_counted_and_resent_to_failed_numbers(sandbox: str, recipe: Any) -> None:
    campaigns = recipe("switchboard.campaigns")

    bulk = campaigns.send("spring", "Half price!", [GOOD, FAILS, ERRS, SILENT, REFUSED])
    assert exchange.wait(TIMEOUT)

    assert campaigns.results("spring", bulk) == {"delivered": 1, "failed": 2, "refused": 1, "under_way": 1}
    assert campaigns.silent("spring", bulk, [GOOD, REFUSED, LOST]) == {LOST}

    again = campaigns.resend("spring", bulk, "Still half price!")
    assert exchange.wait(TIMEOUT)

    sent = campaigns.messages("spring-again", again)
    assert sorted(sent.values_list("dest", flat=True)) == [FAILS, ERRS]
    assert campaigns.results("spring", bulk) == {"delivered": 1, "failed": 2, "refused": 1, "under_way": 1}


@pytest.mark.django_db(transaction=True)
def test_campaign_that_reached_everybody_is_not_sent_again(sandbox: str, recipe: Any) -> None:
    campaigns = recipe("switchboard.campaigns")
    bulk = campaigns.send("spring", "Half price!", [GOOD])
    assert exchange.wait(TIMEOUT)

    assert campaigns.resend("spring", bulk, "Still half price!") is None
    assert campaigns.results("spring", bulk) == {"delivered": 1, "failed": 0, "refused": 0, "under_way": 0}


@pytest.mark.django_db
def test_campaign_is_found_by_tag_or_bulk_reference(recipe: Any) -> None:
    campaigns = recipe("switchboard.campaigns")
    for body in (
        "txn_ref=AA-S-1&sms_status=delivered&tag=spring&dest=%2B6511111111",
        "status=error_dest_not_supported&bulk_txn_ref=AA-B-1&dest=%2B6500000500",
        "txn_ref=AA-S-2&sms_status=delivered&tag=autumn&dest=%2B6511111111",
        "status=error_dest_not_supported&bulk_txn_ref=AA-B-2&dest=%2B6500000500",
    ):
        ingest(raw_notification("sms", "", body))

    assert campaigns.results("spring", "AA-B-1") == {"delivered": 1, "failed": 0, "refused": 1, "under_way": 0}


# A copy of each recording and fax.

PDF = b"%PDF-1.4\n/Type /Page"


class Source:
    """A loopback server with a configurable response."""

    def __init__(self) -> None:
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: answered(handler, b"ID3")
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.address = ""


def answered(handler: BaseHTTPRequestHandler, content: bytes, *, code: int = 200, **headers: str) -> None:
    handler.send_response(code)
    for name, value in {"Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()

    class Handler(BaseHTTPRequestHandler):
        # Keeps the connection open after an answer, as real servers do.
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            source.requests.append((self.path, dict(self.headers)))
            source.answer(self)

        def log_message(self, *args: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        source.address = url
        yield source


@pytest.fixture
def copies(recipe: Any, source: Source, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The recipe with the loopback server in SOURCES, and its storage in a temporary folder."""
    given = recipe("mysite.settings").STORAGES
    given["hoiio"]["OPTIONS"]["location"] = str(tmp_path / "private")
    settings.STORAGES = given
    copies = recipe("switchboard.copies")
    monkeypatch.setattr(copies, "SOURCES", {*copies.SOURCES, source.address})
    return copies


def copied_files() -> dict[str, bytes]:
    """The files of the storage."""
    storage = storages["hoiio"]
    names = storage.listdir("")[1] if storage.exists("") else []
    return {name: Path(storage.path(name)).read_bytes() for name in names}


def linked(link: str, name: str = "record_url") -> Notification:
    """A notification with a link."""
    return ingest(raw_notification("ivr", "", f"txn_ref=AA-C-1&session=S1&{name}={quote(link, safe='')}")).notification


@pytest.mark.django_db(transaction=True)
def test_fax_and_recording_of_the_sandbox_are_copied(
    sandbox: str, copies: Any, recipe: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copies, "SOURCES", {sandbox})
    command = recipe("switchboard.management.commands.keep_copies").Command()
    with HoiioClient() as client:
        client.fax.send(dest=FAX, file=PDF)
        session = client.ivr.dial(dest=GOOD).session
        assert exchange.wait(TIMEOUT)
        client.ivr.record(session=session, msg="Speak")
    assert exchange.wait(TIMEOUT)

    call_command(command)

    recorded = Notification.objects.get(kind="ivr_record")
    faxed = Notification.objects.get(kind="fax_received")
    files = copied_files()
    assert files[copies.path_of(faxed, "fax_url")] == PDF
    assert files[copies.path_of(recorded, "record_url")] == b"This is a message from the sandbox."
    assert capsys.readouterr().out == f"Copied {len(files)}; 0 could not be copied.\n"
    assert Fax.objects.filter(direction="incoming").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "ending"), [("record_url", "mp3"), ("monitor_url", "mp3"), ("fax_url", "pdf")])
def test_link_is_requested_unchanged(name: str, ending: str, copies: Any, source: Source) -> None:
    notification = linked(f"{source.address}/rec-113.mp3?Expires=1&Signature=a%3D%3D", name)

    assert copies.copy_new() == (1, 0)

    assert copied_files() == {f"{notification.uuid}-{name}.{ending}": b"ID3"}
    assert [path for path, _ in source.requests] == ["/rec-113.mp3?Expires=1&Signature=a%3D%3D"]


@pytest.mark.django_db
def test_copy_is_made_once(copies: Any, source: Source) -> None:
    linked(f"{source.address}/rec-113.mp3")

    assert [copies.copy_new(), copies.copy_new()] == [(1, 0), (0, 0)]
    assert len(source.requests) == 1


@pytest.mark.django_db
def test_runs_that_overlap_leave_one_file(copies: Any, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    notification, fetch = linked(f"{source.address}/rec-113.mp3"), copies.fetch

    def overtaken(link: str) -> bytes:
        monkeypatch.setattr(copies, "fetch", fetch)
        assert copies.copy_new() == (1, 0)
        return bytes(fetch(link))

    monkeypatch.setattr(copies, "fetch", overtaken)

    assert copies.copy_new() == (1, 0)
    assert copied_files() == {copies.path_of(notification, "record_url"): b"ID3"}


@pytest.mark.django_db
def test_storage_error_does_not_stop_other_copies_and_is_retried(
    copies: Any, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (linked(f"{source.address}/rec-{number}.mp3") for number in (113, 114))
    path, other = (copies.path_of(notification, "record_url") for notification in (first, second))
    save = FileSystemStorage._save

    def full(storage: FileSystemStorage, name: str, content: Any) -> str:
        saved = save(storage, name, content)
        if name == path:
            Path(storage.path(name)).write_bytes(b"I")
            raise OSError(errno.ENOSPC, "No space left on device")
        return saved

    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "_save", full)
        assert (copies.copy_new(), copied_files()) == ((1, 1), {other: b"ID3"})

    why = "The storage failed with OSError(28, 'No space left on device')."
    assert [record.getMessage() for record in caplog.records if record.name == "switchboard.copies"] == [
        f"The record_url of {first.uuid} was not copied: {why}"
    ]
    assert (copies.copy_new(), copied_files()) == ((1, 0), {path: b"ID3", other: b"ID3"})


@pytest.mark.django_db
def test_old_notifications_and_those_without_a_link_are_skipped(copies: Any, source: Source) -> None:
    body = f"txn_ref=AA-C-1&record_url={quote(source.address)}"
    ingest(raw_notification("ivr", "", body, received_at=timezone.now() - timedelta(days=3)))
    ingest(raw_notification("ivr", "", "txn_ref=AA-C-1&record_url="))
    ingest(raw_notification("ivr", "", "txn_ref=AA-C-1&digits=1"))

    assert (copies.copy_new(), source.requests) == ((0, 0), [])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "link",
    [
        "http://hoiio.s3.amazonaws.com/rec.mp3",
        "https://example.com/rec.mp3",
        "https://hoiio.s3.amazonaws.com.example.com/rec.mp3",
        "https://hoiio.s3.amazonaws.com@example.com/rec.mp3",
        "https://example.com\\@hoiio.s3.amazonaws.com/rec.mp3",
        "https://hoiio.s3.amazonaws.com:22/rec.mp3",
        "https://127.0.0.1/rec.mp3",
        "https://[::1/rec.mp3",
        "//hoiio.s3.amazonaws.com/rec.mp3",
        "file:///etc/passwd",
        "rec.mp3",
    ],
)
def test_link_to_an_unlisted_host_is_not_followed(
    link: str, copies: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(copies, "CONNECTIONS", {})
    notification = linked(link)

    assert (copies.copy_new(), copied_files()) == ((0, 1), {})
    (message,) = [record.getMessage() for record in caplog.records if record.name == "switchboard.copies"]
    assert message in {
        f"The record_url of {notification.uuid} was not copied: {why}"
        for why in (
            "The link leads to a host that is not one of SOURCES.",
            "The download ended with ValueError.",
        )
    }


def redirected(handler: BaseHTTPRequestHandler) -> None:
    answered(handler, b"elsewhere", code=302, Location="/other")


def too_long(handler: BaseHTTPRequestHandler) -> None:
    answered(handler, b"x" * 101)


def in_pieces(handler: BaseHTTPRequestHandler, *pieces: bytes, end: bytes = b"0\r\n\r\n") -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for piece in pieces:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(end)
    handler.close_connection = True


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    answered(handler, b"half", **{"Content-Length": "8"})
    handler.close_connection = True


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"secret?Signature=abc\r\n\r\n")
    handler.close_connection = True


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (redirected, "The answer was 302."),
        (lambda handler: answered(handler, b"gone", code=403), "The answer was 403."),
        (too_long, "It has more than 100 bytes."),
        (lambda handler: in_pieces(handler, b"x" * 60, b"x" * 60), "It has more than 100 bytes."),
        (lambda handler: in_pieces(handler, b"half", end=b""), "The download ended with IncompleteRead."),
        (broken_off, "It broke off 4 bytes before its end."),
        (no_http, "The download ended with BadStatusLine."),
    ],
)
def test_incomplete_file_is_not_stored(
    answer: Any,
    why: str,
    copies: Any,
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(copies, "MOST_BYTES", 100)
    source.answer = answer
    notification = linked(f"{source.address}/rec-113.mp3?Signature=abc")

    assert (copies.copy_new(), copied_files()) == ((0, 1), {})
    assert [record.getMessage() for record in caplog.records if record.name == "switchboard.copies"] == [
        f"The record_url of {notification.uuid} was not copied: {why}"
    ]
    assert [path for path, _ in source.requests] == ["/rec-113.mp3?Signature=abc"]


@pytest.mark.django_db
def test_file_of_exactly_the_maximum_size_is_stored(
    copies: Any, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MOST_BYTES", 100)
    source.answer = lambda handler: answered(handler, b"x" * 100)
    linked(f"{source.address}/rec-113.mp3")

    assert (copies.copy_new(), list(copied_files().values())) == ((1, 0), [b"x" * 100])


@pytest.mark.django_db
def test_file_sent_in_chunks_is_stored_whole(copies: Any, source: Source) -> None:
    source.answer = lambda handler: in_pieces(handler, b"one ", b"two")
    linked(f"{source.address}/rec-113.mp3")

    assert (copies.copy_new(), list(copied_files().values())) == ((1, 0), [b"one two"])


@pytest.mark.django_db
def test_slow_download_is_aborted(
    copies: Any, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = iter(range(0, 1000, 40))
    monkeypatch.setattr(copies, "monotonic", lambda: next(clock))
    source.answer = lambda handler: answered(handler, b"x" * 300_000)
    linked(f"{source.address}/rec-113.mp3")

    assert (copies.copy_new(), copied_files()) == ((0, 1), {})
    assert "It took more than 60 seconds." in caplog.text


@pytest.mark.django_db
def test_download_from_a_silent_server_times_out(
    copies: Any, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()
    monkeypatch.setattr(copies, "TIMEOUT", 0.05)
    source.answer = lambda handler: done.wait(TIMEOUT) and None
    linked(f"{source.address}/rec-113.mp3")

    assert (copies.copy_new(), copied_files()) == ((0, 1), {})
    done.set()
    assert "The download ended with TimeoutError." in caplog.text


@pytest.mark.django_db
def test_failed_copy_does_not_stop_the_others(
    copies: Any, source: Source, recipe: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    linked("https://example.com/rec.mp3")
    linked(f"{source.address}/rec-113.mp3")

    with pytest.raises(SystemExit) as ended:
        call_command(recipe("switchboard.management.commands.keep_copies").Command())

    assert (ended.value.code, list(copied_files().values())) == (1, [b"ID3"])
    assert capsys.readouterr().out == "Copied 1; 1 could not be copied.\n"


# Sentry, in a process of its own, because it changes Django and the loggers for good.

SENTRY = """
import json, sys
import django
from django.conf import settings

settings.DATABASES["default"]["NAME"] = ":memory:"
settings.HOIIO = {"PUBLIC_URL": "https://my.example.com"}
django.setup()

import sentry_sdk
from django.core.management import call_command
from django.test import Client
from django_hoiio.notify_urls import notify_url
from django_hoiio.signals import sms_received
from monitoring import start

events = []


class Local(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        events.append(envelope.get_event())


def bill(sms, **kwargs):
    number, text = sms.from_number, sms.msg
    {}[f"no customer has {number}, who wrote {text}"]


def answer(sms, **kwargs):
    {}[sms.msg]


def fail_otherwise(sms, **kwargs):
    raise ValueError(sms.msg)


for receiver in (bill, answer, fail_otherwise):
    sms_received.connect(receiver)
call_command("migrate", verbosity=0)
start("http://key@127.0.0.1:1/1", transport=Local)
url = notify_url("sms").removeprefix("https://my.example.com")
for _ in range(2):
    body = "txn_ref=AA-SI-1&msg=secret+words&from=%2B6591231111&to=%2B6500000000"
    assert Client().generic("POST", url, body, content_type="application/x-www-form-urlencoded").status_code == 200
json.dump({"events": events, "token": url.split("/")[3]}, sys.stdout, default=str)
"""


def test_sentry_groups_failures_by_receiver_without_private_data(tmp_path: Path) -> None:
    (tmp_path / "monitoring.py").write_text(blocks()["switchboard/monitoring.py"])
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    environ.pop("HOIIO_TEST_DATABASE", None)

    run = subprocess.run([sys.executable, "-c", SENTRY], env=environ, capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stderr
    sent = json.loads(run.stdout)
    fingerprints = [tuple(event["fingerprint"]) for event in sent["events"]]
    issues = [("__main__.bill", "KeyError"), ("__main__.answer", "KeyError"), ("__main__.fail_otherwise", "ValueError")]
    assert fingerprints == issues * 2
    for event, (receiver, exception) in zip(sent["events"], issues * 2, strict=True):
        (raised,) = event["exception"]["values"]
        functions = [frame["function"] for frame in raised["stacktrace"]["frames"]]
        assert (raised["type"], functions[-1]) == (exception, receiver.removeprefix("__main__."))
    assert not any(private in run.stdout for private in ("91231111", "secret", "words", "5912311"))
    assert run.stdout.count(sent["token"]) == 1

"""The benchmarks run and report all candidates. Their figures are not checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, pairwise
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.traffic import bodies
from tests import ROOT

NAME = f"hoiio_benchmark_{os.getpid()}"

CANDIDATES = [
    "empty view",
    "raw",
    "raw, on the tables of django_hoiio",
    "ORM as most would write it",
    "django_hoiio, no receiver",
    "django_hoiio, one receiver",
]
CLOSED = ["raw, CONN_MAX_AGE=0", "django_hoiio, one receiver, CONN_MAX_AGE=0"]
SERVED = ["raw", "django_hoiio, no receiver", "django_hoiio, one receiver"]

# Stands in for wrk: posts to the URL once and reports one second.
WRK = f"""#!{sys.executable}
import sys
from urllib.request import urlopen
url = sys.argv[sys.argv.index("--") - 1]
body = b"txn_ref=AA-S-1&sms_status=queued&tag=&dest=%2B651&date=2012-06-06+11:15:20&split_count=1&currency=SGD&rate=1&debit=1"
with urlopen(url, body):
    print("1 1000000 FAILURES")
"""


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run a Python program of the checkout, with a database of its own and nothing in PATH but `tmp_path`."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HOIIO_BENCHMARK_NAME": NAME, "PATH": str(tmp_path)}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)

    yield run
    assert list(Path("/tmp").glob(f"*{NAME}*")) == []


def tables(printed: str) -> dict[str, list[str]]:
    """Return the first column of each table, by its title."""
    found: dict[str, list[str]] = {}
    blocks = printed.split("\n\n")
    for title, block in pairwise(blocks):
        lines = block.splitlines()
        if len(lines) > 1 and set(lines[1]) == {"-", " "}:
            width = lines[1].index(" ")
            found[title] = [line[:width].rstrip() for line in lines[2:]]
    return found


def install_wrk(folder: Path, *, failures: str) -> None:
    program = folder / "wrk"
    program.write_text(WRK.replace("FAILURES", failures), encoding="utf-8")
    program.chmod(0o755)


def test_receiving_is_measured_for_all_candidates_at_each_size(run: Run) -> None:
    done = run("-m", "benchmarks.receive", "--requests", "20", "--rows", "0,100", "--no-http")

    assert (done.returncode, tables(done.stdout)) == (
        0,
        {
            "In process, 0 notifications there": [*CANDIDATES, *CLOSED],
            "In process, 100 notifications there": CANDIDATES,
        },
    ), done.stderr


def test_receiving_is_measured_over_http(run: Run, tmp_path: Path) -> None:
    install_wrk(tmp_path, failures="0")

    done = run("-m", "benchmarks.receive", "--requests", "20")

    title = "Over HTTP, gunicorn with 2 workers, 8 connections"
    assert (done.returncode, tables(done.stdout).get(title)) == (0, SERVED), done.stderr


def test_failed_requests_end_the_benchmark(run: Run, tmp_path: Path) -> None:
    install_wrk(tmp_path, failures="1")

    done = run("-m", "benchmarks.receive", "--requests", "20")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "RuntimeError: 1 of 1 requests to raw failed.")


def test_missing_wrk_is_reported_at_the_start(run: Run) -> None:
    done = run("-m", "benchmarks.receive")

    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "wrk was not found; install it (Debian: apt-get install wrk), or leave HTTP out with --no-http.\n",
    )


class Collecting(BaseHTTPRequestHandler):
    """Stores the posted bodies."""

    posted: list[bytes]

    def do_POST(self) -> None:
        self.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_posts_the_same_bodies_as_the_process() -> None:
    posted: list[bytes] = []
    handler = type("Handler", (Collecting,), {"posted": posted})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        script = str(ROOT / "benchmarks/post.lua")
        command = ["wrk", "-t1", "-c1", "-d1s", "-s", script, url, "--", "AA-S-x"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        server.shutdown()

    # wrk uses the first one for a trial request.
    assert posted[:49] == list(islice(bodies("AA-S-x"), 1, 50))


FILLED = """
import json
from benchmarks.databases import made, use
use("sqlite")
from django.db.models import Count
from benchmarks.growth import fill
from benchmarks.models import PlainNotification, PlainSms
from django_hoiio.models import Notification, Sms
with made():
    fill(60)
    fill(100)
    last = Notification.objects.order_by("-pk")[0]
    sms = Sms.objects.get(txn_ref=last.txn_ref)
    read = Notification.objects.values_list("received_at", flat=True)
    print(json.dumps({
        "counts": [model.objects.count() for model in (Notification, Sms, PlainNotification, PlainSms)],
        "uuids": Notification.objects.values("uuid").distinct().count(),
        "numbers": Sms.objects.values("remote_number").distinct().count(),
        "moments": [(max(read) - min(read)).days > 300, last.received_at == max(read)],
        "named": [last.txn_ref, last.params["txn_ref"], sms.tag, sms.sms_status],
        "same": [last.params["dest"] == sms.dest == sms.remote_number, sms.dest[-8:] == sms.remote_suffix],
        "body": f"dest=%2B{sms.dest[1:]}&tag=order-50&sms_status=delivered" in bytes(last.body).decode(),
    }))
"""


def test_generated_rows_look_like_received_ones(run: Run) -> None:
    done = run("-c", FILLED)

    assert done.returncode == 0, done.stderr
    # The two templates, posted to the webhook and to the plain view, and their copies.
    assert json.loads(done.stdout) == {
        "counts": [102, 51, 102, 51],
        "uuids": 102,
        "numbers": 51,
        "moments": [True, True],
        "named": ["AA-S-filled-50", "AA-S-filled-50", "order-50", "delivered"],
        "same": [True, True],
        "body": True,
    }


MIXED = """
import json
from benchmarks.databases import made, use
use("sqlite", with_admin=True)
from benchmarks.growth import mix
from benchmarks.models import PlainNotification
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
with made():
    rows = Notification.objects.filter(txn_ref__contains="-filled-")
    mix(20_000)
    received = list(rows.order_by("pk").values_list("received_at", flat=True))
    mix(21_000)
    calls = Call.objects.filter(txn_ref__contains="-filled-")
    call = calls.exclude(session="").order_by("-pk")[0]
    moments = rows.values_list("received_at", flat=True)
    print(json.dumps({
        "count": Notification.objects.count() - PlainNotification.objects.count(),
        "notifications": round(rows.count(), -3),
        "kinds": sorted(Notification.objects.values_list("kind", flat=True).distinct()),
        "directions": sorted(Sms.objects.values_list("direction", flat=True).distinct()),
        "statuses": sorted(Sms.objects.values_list("sms_status", flat=True).distinct()),
        "open": [model.objects.filter(is_final=False).exists() for model in (Call, Sms)],
        "missed": calls.missed().exists(),
        "faxes": Fax.objects.filter(fax_status="failed").exists(),
        "pending notifications": Notification.objects.filter(claimed_until__isnull=False, dispatched_at=None).count(),
        "failures": [ReceiverFailure.objects.count(), ReceiverFailure.objects.unresolved().count()],
        "session": call.notifications.filter(session=call.session).count() == call.notifications.count() > 1,
        "numbers": calls.values("remote_number").distinct().count() == calls.count(),
        "spread": (max(moments) - min(moments)).days,
        "order": sorted(received) == received,
    }))
"""


def test_mixture_has_all_kinds_of_rows(run: Run) -> None:
    done = run("-c", MIXED)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "count": 0,
        "notifications": 21_000,
        "kinds": [
            *("bulk_sms_status", "call_ended", "fax_received", "fax_status", "ivr_answer", "ivr_ended", "ivr_gather"),
            *("ivr_record", "ivr_transfer", "sms_received", "sms_status", "unknown"),
        ],
        "directions": ["incoming", "outgoing"],
        "statuses": ["", "delivered", "error", "failed", "queued"],
        "open": [True, True],
        "missed": True,
        "faxes": True,
        "pending notifications": 2,
        "failures": [42, 5],
        "session": True,
        "numbers": True,
        "spread": 364,
        "order": True,
    }


def test_pages_of_the_lists_are_measured_at_each_size(run: Run) -> None:
    done = run("-m", "benchmarks.admin", "--rows", "20,200", "--turns", "1")

    found = tables(done.stdout)
    assert (done.returncode, list(found)) == (0, ["20 notifications there", "200 notifications there"]), done.stderr
    pages = found["20 notifications there"]
    assert pages == found["200 notifications there"]
    assert pages[:5] == [
        "plain: first page",
        "plain: page in the middle",
        "plain: filter, kind that no row has",
        "plain: search",
        "notification: first page",
    ]
    assert "sms: search, last 8 digits" in pages


def test_pages_of_the_read_api_are_measured_at_each_size(run: Run) -> None:
    done = run("-m", "benchmarks.api", "--requests", "2", "--rows", "100,600")

    titles = [f"A page, {rows} notifications and half as many SMS there" for rows in (100, 600)]
    measured = tables(done.stdout)
    assert (done.returncode, list(measured)) == (0, titles), done.stderr
    assert measured[titles[0]] == measured[titles[1]]
    assert {"sms: the newest", "sms: updated_since", "notifications: kind, none"} <= set(measured[titles[0]])


def test_late_reports_are_measured(run: Run) -> None:
    done = run("-m", "benchmarks.late", "--notifications", "50")

    assert done.returncode == 0, done.stderr
    assert "A late report, 50 notifications stored" in done.stdout
    assert all(name in done.stdout for name in ("the same fields", "no other report has", "only the oldest has"))


def test_steps_of_phone_menus_are_measured_beside_a_plain_receiver(run: Run) -> None:
    done = run("-m", "benchmarks.menus", "--calls", "2")

    steps = [f"{name}, step {step}" for step in (3, 50) for name in ("plain receiver", "flow")]
    assert (done.returncode, tables(done.stdout)) == (0, {"A step of a phone menu, 2 calls": steps}), done.stderr


def test_loading_is_measured_beside_an_empty_project(run: Run) -> None:
    done = run("-m", "benchmarks.startup", "--processes", "1")

    (projects,) = tables(done.stdout).values()
    assert (done.returncode, projects) == (0, ["empty project", "with django_hoiio"]), done.stderr
    assert " django_hoiio.views." in done.stdout

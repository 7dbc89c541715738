"""Run the code of docs/guides/errors.rst: Sentry gets no private data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.documents import code_of

(MONITORING,) = code_of(ROOT / "docs/guides/errors.rst")

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
    (tmp_path / "monitoring.py").write_text(MONITORING)
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

"""A forgotten number is in no dump of the database and in no file of the spool."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, unquote

import pytest
from django.db import connection

from django_hoiio import spool
from django_hoiio.ingest import ingest
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.sandbox.samples import ROUTE_OF_KIND, SCRIPTS, step_parameters
from django_hoiio.sandbox.wire import CURRENCY
from tests.conftest import raw_notification

from .conftest import Figures
from .processes import Environment, run_command

pytestmark = pytest.mark.django_db(transaction=True)

BOB, EVE, OURS = "+6561234567", "+6587654321", "+6500000000"

# Spellings in the raw text of other people's notifications.
MENTIONS = [
    "%2B6561234567",
    "%252B6561234567",
    "+6561234567",
    "6561234567",
    "006561234567",
    "%2B65+6123+4567",
    "%2B65%206123%204567",
    "%2B65-6123-4567",
    "%28%2B65%29+6123.4567",
    "%36561234567",
    "%2B65%E2%80%916123%C2%A04567",
    "%2B65%5Cu20116123%5Cu00a04567",
    "%EF%BC%96%EF%BC%95%EF%BC%96%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96%EF%BC%97",
]

DUMPS = {
    "sqlite": ["sqlite3", "{NAME}", ".dump"],
    "postgresql": ["pg_dump", "-h", "{HOST}", "-p", "{PORT}", "-U", "{USER}", "--data-only", "{NAME}"],
    "mysql": ["mariadb-dump", "-h{HOST}", "-P{PORT}", "-u{USER}", "--hex-blob", "--no-create-info", "{NAME}"],
}


def dump() -> str:
    """Return a dump of the database, with the decoded text of its hexadecimal values appended."""
    command = DUMPS[connection.vendor]
    if shutil.which(command[0]) is None:
        assert os.environ.get("CI") != "true", f"{command[0]} is not installed"
        pytest.skip(f"{command[0]} is not installed")
    settings = connection.settings_dict
    environment = {**os.environ, "PGPASSWORD": settings["PASSWORD"], "MYSQL_PWD": settings["PASSWORD"]}
    done = subprocess.run(
        [word.format(**settings) for word in command], check=True, env=environment, capture_output=True
    )
    text = done.stdout.decode("utf-8", "replace")
    in_hex = re.findall(r"(?:X'|\\\\x|0x)([0-9A-Fa-f]{2,})", text)
    return "\n".join([text, *(bytes.fromhex(each).decode("latin-1") for each in in_hex if len(each) % 2 == 0)])


def times_found(text: str) -> int:
    """Count the number in all its spellings, ignoring characters between its digits."""
    read = re.sub(r"\\+u([0-9A-Fa-f]{4})", lambda escape: chr(int(escape[1], 16)), unquote(unquote(text)))
    return re.sub(r"[^0-9A-Za-z]", "", normalize("NFKC", read)).count("6561234567")


def files(folder: Path) -> str:
    held = [json.loads(path.read_text()) for path in folder.iterdir()]
    return "\n".join(json.dumps({**one, "body": base64.b64decode(one["body"]).decode("latin-1")}) for one in held)


def form(params: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(text, safe='')}" for name, text in params.items())


def notifications_about(number: str, account: str) -> Iterator[Any]:
    """Yield the notifications of each script of the sandbox, with this number as the remote party."""
    places = {"from": number, "to": OURS, "dest": number, "dest1": number, "dest2": number}
    for position, script in enumerate(SCRIPTS.values()):
        names = {"txn_ref": f"AA-{position}", "session": f"S{position}", "bulk_txn_ref": "AA-B-1", "tag": "a tag"}
        facts = {**names, "debit": "0.1", "rate": "0.1", "currency": CURRENCY, "date": "2012-06-06 11:15:20"}
        for step in script:
            params = step_parameters(step, facts)
            params.update({name: text for name, text in places.items() if name in params})
            yield raw_notification(ROUTE_OF_KIND[step.kind].value, "", form(params), account=account)


def statuses() -> list[list[Any]]:
    """Return the fields of all calls, SMS and faxes that must stay."""
    names = ["account", "txn_ref", "direction", "is_final", "date", "currency", "rate", "debit", "created_at"]
    more = {
        Call: ["duration", "call_state", "call_status_dest1"],
        Sms: ["sms_status", "split_count"],
        Fax: ["fax_status"],
    }
    return [
        list(model._default_manager.order_by("pk").values_list(*names, *columns)) for model, columns in more.items()
    ]


def test_forgotten_number_is_in_no_dump_and_no_file(environ: Environment, spool_dir: Path, figures: Figures) -> None:
    for number, account in ((BOB, "default"), (EVE, "other")):
        for one in notifications_about(number, account):
            notification = ingest(one).notification
            spool.store(
                raw_notification(one.route.value, one.query, one.body, received_at=datetime.now(timezone.utc)),
                spool_dir,
            )
            ReceiverFailure.objects.create(
                notification=notification, signal="x", receiver="x", traceback=f"KeyError: {number!r}"
            )
    for position, mention in enumerate(MENTIONS):
        query, body = f"x={mention}", form({"txn_ref": f"AA-M-{position}", "sms_status": "delivered", "dest": EVE})
        ingest(raw_notification("sms", query, f"{body}&y={mention}"))
        ingest(raw_notification("sms", "", f"txn_ref=AA-N-{position}&msg=call+{mention}&from={quote(EVE)}&to="))
        spool.store(raw_notification("sms", query, f"{body}&y={mention}"), spool_dir)
    before, statuses_before, rows = times_found(dump()), statuses(), Notification.objects.count()
    in_files = times_found(files(spool_dir))

    code, printed = run_command(environ, "hoiio_forget", BOB, "--no-input")

    assert code == 0, printed
    assert times_found(printed) == 0
    assert (times_found(dump()), times_found(files(spool_dir))) == (0, 0)
    assert (statuses(), Notification.objects.count()) == (statuses_before, rows)
    assert dump().count("87654321") > 100
    assert (
        Call.objects.filter(account="other", redacted_at=None).count() == Call.objects.filter(account="other").count()
    )
    figures(times_in_the_dump_before=before, times_in_files_before=in_files, rows=rows, times_after=0)

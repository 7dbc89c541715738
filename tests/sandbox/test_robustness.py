"""The sandbox answers any request, and the webhook does not import it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hoiio.parsing.parameters import PARAMETERS
from django_hoiio.sandbox import api
from django_hoiio.sandbox.endpoints import ENDPOINTS
from django_hoiio.sandbox.real_time import exchange, line
from tests import ROOT
from tests.clients import ACCOUNTS, APP, FORM, HANDSET, NUMBER

LOCAL = {"API_URL": "http://127.0.0.1:8000/sandbox/open/", "PUBLIC_URL": None, "ACCOUNTS": ACCOUNTS}

# Names that the API reads, and values that are nearly right.
NAMES = st.sampled_from(
    sorted(
        {
            *PARAMETERS,
            *(name for endpoint in ENDPOINTS.values() for name in (*endpoint.required, *endpoint.urls)),
            *("max_digits", "timeout", "attempts", "max_duration", "caller_id", "sender_name", "recipients", "page"),
            *("incoming", "state", "type", "mode", "on_failure", "force", "fax_header", "filename", "from", "to"),
        }
    )
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            *(NUMBER, HANDSET, "+6511111111", "+6500000400", "room:", "http://127.0.0.1:1/", "enabled", "continue"),
            *("1", "0", "-1", "²", "[]", '[{"dest": [1]}]', '[{"dest": null}]', "<speech>", "2026-01-01 00:00:00"),
            *("%PDF", "JVBERg==", "S1", "kick", "fax", "SG", "US", "CA", "+6561230001", "auto_extend"),
        ]
    ),
)
FAULTS = ("params_in", "delay", "duplicate", "drop", "drop_rate", "own_in_query", "unnamed_blocks", "short_legs")
FORMS = st.dictionaries(NAMES, VALUES, max_size=6)

quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _sandbox(settings: Any) -> Any:
    settings.HOIIO = LOCAL
    exchange.reset()
    yield
    line.close()
    assert line.wait(30)
    exchange.reset()


def live_session() -> str:
    """A call that is on the line, so that blocks reach it."""
    exchange.reset()
    Client().post("/sandbox/telephone/call/", {"to": NUMBER})
    return str(Client().get("/sandbox/telephone/state/").json()["call"]["session"])


@quietly
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(ENDPOINTS)), FORMS), min_size=1, max_size=6))
def test_any_request_is_answered_with_a_status(steps: list[tuple[str, dict[str, str]]]) -> None:
    session = live_session()
    for path, form in steps:
        params = {"session": session, **{name: text for name, text in form.items() if name != "session"}}
        response = Client().post(f"/sandbox/open/{path}", urlencode({**params, **APP}), FORM["Content-Type"])

        assert response.status_code == 200
        assert response.json()["status"].startswith(("success_ok", "error_"))


@quietly
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from(["call", "text", "press", "speak", "answer", "decline", "hangup", "faults"]),
                st.dictionaries(
                    st.sampled_from(["to", "msg", "digits", "text", *FAULTS]),
                    VALUES,
                ),
            ),
            st.tuples(
                st.sampled_from([f"ivr/middle/{name}" for name in ("play", "gather", "record", "hold", "unhold")]),
                st.dictionaries(st.sampled_from(["msg", "max_digits", "notify_url"]), VALUES),
            ),
        ),
        max_size=12,
    )
)
def test_telephone_has_a_state_after_any_action(steps: list[tuple[str, dict[str, str]]]) -> None:
    session = live_session()
    for name, form in steps:
        if "/" in name:
            Client().post(f"/sandbox/open/{name}", {**APP, **form, "session": session})
        else:
            assert Client().post(f"/sandbox/telephone/{name}/", form).status_code in (200, 400)

    call = Client().get("/sandbox/telephone/state/").json()["call"]
    assert call["state"] in {"ringing", "ongoing", "held", "gathering", "recording", "transferred", "ended"}


@quietly
@given(
    body=st.binary(max_size=300),
    content_type=st.sampled_from(["", FORM["Content-Type"], "multipart/form-data; boundary=b"]),
)
def test_any_body_is_answered(body: bytes, content_type: str) -> None:
    response = Client().generic("POST", "/sandbox/open/sms/send", body, content_type=content_type)

    assert (response.status_code, response.json()["status"].startswith("error_")) == (200, True)


def test_too_large_or_broken_body_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BODY_LIMIT", 100)
    assert Client().post("/sandbox/open/sms/send", {"x": "y" * 100}).json() == {"status": "error_malformed_params"}

    request = RequestFactory().post("/sandbox/open/sms/send")

    def breaks_off(length: int) -> bytes:
        raise ConnectionResetError

    monkeypatch.setattr(request, "read", breaks_off)
    assert api.serve(request, "sms/send").content == b'{"status": "error_malformed_params"}'


def test_project_without_credentials_has_no_numbers(settings: Any) -> None:
    settings.HOIIO = {"API_URL": LOCAL["API_URL"]}

    state = Client().get("/sandbox/telephone/state/").json()
    answer = Client().post("/sandbox/telephone/call/", {"to": NUMBER})

    assert (state["numbers"], answer.status_code) == ([], 400)


RECEIVING = """
import django, sys
django.setup()
import django_hoiio.urls, django_hoiio.views, django_hoiio.ingest, django_hoiio.recovery, django_hoiio.admin
print(sorted(name for name in sys.modules if name.startswith("django_hoiio.sandbox")))
"""


def test_webhook_imports_nothing_of_the_sandbox() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    root = ROOT

    done = subprocess.run(
        [sys.executable, "-c", RECEIVING], cwd=root, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")

from __future__ import annotations

import socket
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.core.management import CommandError, call_command
from django.urls import include, path

from django_hoiio.enums import Kind, Route, VerifiedBy
from django_hoiio.masking import HIDDEN, line
from django_hoiio.models import Notification
from django_hoiio.sandbox.delivery import Answer
from django_hoiio.sandbox.samples import SCRIPTS
from django_hoiio.verification import verify
from tests.clients import ReceivedNotification, SandboxClient


def trigger(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("hoiio_trigger", *arguments, stdout=out)
    return out.getvalue().splitlines()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as raised:
        trigger(*arguments)
    return str(raised.value)


def verified_by(heard: ReceivedNotification) -> tuple[VerifiedBy, str, dict[str, Any], dict[str, str]]:
    """Verify the URL and the signature as the webhook does."""
    route, _, token = heard.path.removeprefix("/hoiio/").strip("/").partition("/")
    verdict = verify(Route(route), token or None, heard.body.encode(), heard.signature)
    return verdict.verified_by, verdict.account, dict(verdict.pass_on), dict(verdict.problems)


# Requests.


def test_kind_is_sent_to_its_signed_url(sandbox_client: SandboxClient) -> None:
    lines = trigger("sms_status", "--set", "sms_status=failed", "--set", "tag=order-17", "--pass-on", "username=bob")

    (heard,) = sandbox_client.notifications
    txn_ref = heard.params["txn_ref"]
    assert (heard.params["sms_status"], heard.params["tag"], heard.query) == ("failed", "order-17", "")
    assert verified_by(heard) == (VerifiedBy.URL, "default", {"username": "bob"}, {})
    assert lines == [f"sms_status        {txn_ref:<20} 200", "1 notification sent and answered with 200."]


@pytest.mark.parametrize("options", [[], ["--unsigned"]])
def test_urls_in_a_nested_namespace_are_found(sandbox_client: SandboxClient, settings: Any, options: list[str]) -> None:
    hooks = path("hooks/", include(([path("hoiio/", include("django_hoiio.urls"))], "hooks")))
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": [hooks]})

    trigger("sms_status", *options)

    assert sandbox_client.notifications[0].path.startswith("/hooks/hoiio/sms/")


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_sent_to_the_route_it_belongs_to(sandbox_client: SandboxClient, kind: Kind) -> None:
    trigger(kind.value)

    assert [verified_by(heard)[0] for heard in sandbox_client.notifications] == [VerifiedBy.URL]


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_is_sent_in_order(sandbox_client: SandboxClient, name: str) -> None:
    lines = trigger("--script", name)

    kinds = [step.kind.value for step in SCRIPTS[name]]
    assert [text.split()[0] for text in lines[:-1]] == kinds
    assert (len(sandbox_client.notifications), lines[-1]) == (
        len(kinds),
        f"{len(kinds)} notification{'s' * (len(kinds) > 1)} sent and answered with 200.",
    )
    refs = {heard.params["txn_ref"] for heard in sandbox_client.notifications if "txn_ref" in heard.params}
    assert len(refs) == len({step.of for step in SCRIPTS[name]})


def test_each_run_uses_a_new_transaction(sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        monkeypatch.setattr("django_hoiio.sandbox.trigger.unused_number", lambda now, number=number: number)
        trigger("call_ended")

    assert [heard.params["txn_ref"] for heard in sandbox_client.notifications] == ["AA-C-1", "AA-C-2"]


def test_repeated_notification_is_the_same_each_time(sandbox_client: SandboxClient) -> None:
    trigger("sms_received", "--repeat", "3", "--set", "msg=hello")

    assert sandbox_client.notifications == [sandbox_client.notifications[0]] * 3


def test_shuffled_script_is_sent_whole_in_another_order(
    sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.trigger.SystemRandom.shuffle", lambda self, steps: steps.reverse())

    trigger("--script", "sms_delivered", "--shuffle", "--repeat", "2")

    assert [heard.params["sms_status"] for heard in sandbox_client.notifications] == ["delivered", "queued"] * 2


@pytest.mark.parametrize(("params_in", "has_query", "has_body"), [("body", 0, 1), ("query", 1, 0), ("both", 1, 1)])
def test_params_in_chooses_the_place_of_the_parameters(
    sandbox_client: SandboxClient, params_in: str, has_query: int, has_body: int
) -> None:
    trigger("sms_received", "--params-in", params_in)

    (heard,) = sandbox_client.notifications
    assert (bool(heard.query), bool(heard.body)) == (bool(has_query), bool(has_body))
    for text in filter(None, (heard.query, heard.body)):
        assert dict(parse_qsl(text))["msg"] == "hoiio world"


def test_other_account_and_route_are_signed(sandbox_client: SandboxClient) -> None:
    trigger("sms_received", "--account", "second", "--route", "any")

    (heard,) = sandbox_client.notifications
    assert heard.path.startswith("/hoiio/any/")
    assert verified_by(heard)[:2] == (VerifiedBy.URL, "second")


def test_notification_to_an_unsigned_url_is_verified_by_its_signature(sandbox_client: SandboxClient) -> None:
    trigger("sms_received", "--unsigned", "--pass-on", "username=bob")

    (heard,) = sandbox_client.notifications
    assert (heard.path, heard.query) == ("/hoiio/sms/", "username=bob")
    assert verified_by(heard) == (VerifiedBy.SIGNATURE, "default", {}, {})


@pytest.mark.parametrize(("account", "problems"), [("default", {"signature": "does not match the body"}), ("bare", {})])
def test_bad_signature_does_not_match(sandbox_client: SandboxClient, account: str, problems: dict[str, str]) -> None:
    trigger("sms_received", "--bad-signature", "--account", account)

    (heard,) = sandbox_client.notifications
    assert heard.signature is not None
    assert verified_by(heard)[3] == problems


def test_account_without_a_token_sends_no_signature(sandbox_client: SandboxClient) -> None:
    trigger("sms_received", "--account", "bare")

    assert [heard.signature for heard in sandbox_client.notifications] == [None]


def test_share_of_notifications_is_dropped(sandbox_client: SandboxClient) -> None:
    lines = trigger("sms_received", "--repeat", "10", "--drop", "0.3")

    assert len(sandbox_client.notifications) == 7
    assert [text.split()[-1] for text in lines[:-1]].count("dropped") == 3
    assert lines[-1] == "7 notifications sent and answered with 200, 3 dropped."


def test_delay_waits_before_each_notification(sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("django_hoiio.sandbox.trigger.time.sleep", waited.append)

    trigger("--script", "sms_delivered", "--delay", "2.5")

    assert waited == [2.5, 2.5]


def test_output_contains_nothing_private(sandbox_client: SandboxClient) -> None:
    lines = trigger("--script", "ivr_menu", "--pass-on", "username=bob")

    text = "\n".join(lines)
    assert (HIDDEN in line(text), "bob" in text, "+65" in text, "new-token" in text) == (False, False, False, False)


# Raw requests.


def test_raw_request_is_sent_verbatim(sandbox_client: SandboxClient) -> None:
    query, body = "x=1&msg=a%20b", "sms_status=queued&txn_ref=AA-S-1&dest=%2B65"
    lines = trigger("--query", query, "--body", body, "--route", "sms", "--content-type", "text/plain")

    (heard,) = sandbox_client.notifications
    assert (heard.query, heard.body, heard.path.startswith("/hoiio/sms/")) == (query, body, True)
    assert verified_by(heard)[0] == VerifiedBy.URL
    assert lines[0] == f"{'sms_status':<17} {'AA-S-1':<20} 200"


def test_raw_request_is_sent_to_the_route_any_by_default(sandbox_client: SandboxClient) -> None:
    trigger("--body-base64", "eD0x", "--pass-on-json", '{"order": [17]}', "--pass-on", "x_name=bob")

    (heard,) = sandbox_client.notifications
    assert (heard.body, heard.path.startswith("/hoiio/any/")) == ("x=1", True)
    assert verified_by(heard)[2] == {"order": [17], "x_name": "bob"}


def test_raw_request_is_signed_verbatim(sandbox_client: SandboxClient) -> None:
    trigger("--query", "x_a=1", "--body", "txn_ref=AA-S-1&sms_status=queued", "--route", "sms", "--unsigned")

    (heard,) = sandbox_client.notifications
    assert (heard.path, heard.query, verified_by(heard)[0]) == ("/hoiio/sms/", "x_a=1", VerifiedBy.SIGNATURE)


# Servers.


@pytest.fixture
def nowhere() -> str:
    """Return an address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_url_option_names_the_server(sandbox_client: SandboxClient, settings: Any, nowhere: str) -> None:
    settings.HOIIO = {**settings.HOIIO, "PUBLIC_URL": nowhere}

    trigger("sms_received", "--url", f"{sandbox_client.application.partition('/hoiio/')[0]}/")

    assert [heard.path.startswith("/hoiio/sms/") for heard in sandbox_client.notifications] == [True]


def test_public_server_is_refused_unless_it_is_named(sandbox_client: SandboxClient, settings: Any) -> None:
    settings.HOIIO = {**settings.HOIIO, "PUBLIC_URL": "https://my.example.com"}

    assert refused("sms_received") == (
        "HOIIO['PUBLIC_URL'] is 'https://my.example.com', which is not this machine; to send samples there, add"
        " --url https://my.example.com, otherwise --url http://127.0.0.1:8000."
    )
    assert sandbox_client.notifications == []


def test_default_server_is_the_address_of_runserver(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HOIIO = {}
    urls: list[str] = []
    monkeypatch.setattr(
        "django_hoiio.sandbox.trigger.post",
        lambda delivery, loopback_only: urls.append(delivery.url) or Answer(200, "", ""),
    )

    trigger("sms_received")

    assert [url.partition("/hoiio/")[0] for url in urls] == ["http://127.0.0.1:8000"]


def test_public_host_is_rehearsed_on_this_machine(sandbox_client: SandboxClient, settings: Any) -> None:
    server = sandbox_client.application.partition("/hoiio/")[0]
    settings.HOIIO = {**settings.HOIIO, "PUBLIC_URL": "https://my.example.com"}

    trigger("sms_received", "--host", "my.example.com:8443", "--url", server)

    (heard,) = sandbox_client.notifications
    assert (heard.headers["Host"], heard.headers["X-Forwarded-Proto"]) == ("my.example.com:8443", "https")
    assert verified_by(heard) == (VerifiedBy.URL, "default", {}, {})


@pytest.mark.parametrize(
    ("public_url", "default"),
    [
        ("https://my.example.com", "http://127.0.0.1:8000"),
        ("http://localhost:8001", "http://localhost:8001"),
        (None, "http://127.0.0.1:8000"),
    ],
)
def test_public_host_is_rehearsed_on_the_address_of_the_server(
    settings: Any, monkeypatch: pytest.MonkeyPatch, public_url: str | None, default: str
) -> None:
    settings.HOIIO = {"PUBLIC_URL": public_url}
    urls: list[str] = []
    monkeypatch.setattr(
        "django_hoiio.sandbox.trigger.post",
        lambda delivery, loopback_only: urls.append(delivery.url) or Answer(200, "", ""),
    )

    trigger("sms_received", "--host", "my.example.com")

    assert [url.partition("/hoiio/")[0] for url in urls] == [default]


@pytest.mark.parametrize("url", ["https://203.0.113.7", "my.example.com"])
def test_public_host_is_rehearsed_on_no_other_machine(sandbox_client: SandboxClient, url: str) -> None:
    assert refused("sms_received", "--host", "my.example.com", "--url", url) == (
        f"--url is {url!r}, and --host needs an address of this machine; write --url http://127.0.0.1:8000."
    )
    assert sandbox_client.notifications == []


@pytest.mark.parametrize(
    "host", ["", "https://my.example.com", "my.example.com/hoiio", "my.example.com\r\nX: 1", ".com"]
)
def test_public_host_is_a_host_and_no_url(sandbox_client: SandboxClient, host: str) -> None:
    assert refused("sms_received", "--host", host) == (
        f"--host is {host!r}; it needs a host, for example --host my.example.com."
    )
    assert sandbox_client.notifications == []


# Failures.

NOTHING_OR_TOO_MUCH = "Name a kind, --script NAME, or a request with --query and --body; `hoiio_trigger --list` lists all kinds and scripts."


def test_unreachable_server_is_reported(settings: Any, nowhere: str) -> None:
    settings.HOIIO = {"PUBLIC_URL": nowhere}

    assert refused("--script", "sms_delivered", "--drop", "0.5") == (
        "1 of 1 notifications were not answered with 200, 1 dropped. No answer: Is a server running there? Start it, for"
        " example with `manage.py runserver`."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], NOTHING_OR_TOO_MUCH),
        (
            ["call_ended", "--script", "call"],
            NOTHING_OR_TOO_MUCH,
        ),
        (
            ["sms_statsu"],
            "There is no kind 'sms_statsu'; did you mean 'sms_status'? `hoiio_trigger --list` lists all kinds and scripts.",
        ),
        (
            ["--script", "ivr_voicemial"],
            (
                "There is no script 'ivr_voicemial'; did you mean 'ivr_voicemail'? `hoiio_trigger --list` lists all"
                " kinds and scripts."
            ),
        ),
        (["call_ended", "--query", "a=1"], NOTHING_OR_TOO_MUCH),
        (["--script", "call", "--body", "a=1"], NOTHING_OR_TOO_MUCH),
        (["--body", "a=1", "--body-base64", "YT0x"], "--body and --body-base64: give one of them."),
        (["--body-base64", "+6511111111"], "--body-base64 needs base64, for example --body-base64 bXNnPWhlbGxv."),
        (
            ["call_ended", "--pass-on-json", "[1]"],
            """--pass-on-json needs a JSON object, for example --pass-on-json '{"order": 17}'.""",
        ),
        (
            ["call_ended", "--pass-on-json", "{+6511111111"],
            """--pass-on-json needs a JSON object, for example --pass-on-json '{"order": 17}'.""",
        ),
        (["call_ended", "--account", "secnod"], "There is no account 'secnod'; did you mean 'second'?"),
        (["call_ended", "--set", "+6511111111"], "--set needs NAME=VALUE, for example --set tag=order-17."),
        (["call_ended", "--pass-on", "=x"], "--pass-on needs NAME=VALUE, for example --pass-on tag=order-17."),
        (
            ["call_ended", "--repeat", "0"],
            "--repeat needs at least 1, --delay no less than 0, and --drop a share from 0 to 1.",
        ),
        (
            ["call_ended", "--drop", "nan"],
            "--repeat needs at least 1, --delay no less than 0, and --drop a share from 0 to 1.",
        ),
        (
            ["call_ended", "--delay", "-1"],
            "--repeat needs at least 1, --delay no less than 0, and --drop a share from 0 to 1.",
        ),
    ],
)
def test_invalid_options_are_refused(sandbox_client: SandboxClient, arguments: list[str], message: str) -> None:
    assert refused(*arguments) == message
    assert sandbox_client.notifications == []


def test_project_without_the_urls_is_named(sandbox_client: SandboxClient, settings: Any) -> None:
    settings.ROOT_URLCONF = "django.contrib.auth.urls"

    assert refused("call_ended").startswith("django_hoiio.urls is not included in 'django.contrib.auth.urls'; add")
    assert sandbox_client.notifications == []


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://a b"])
def test_invalid_url_fails(settings: Any, url: str) -> None:
    settings.HOIIO = {}

    assert refused("call_ended", "--url", url) == (
        "1 of 1 notifications were not answered with 200. No answer: Correct --url, or see the log of the server."
    )


def test_list_shows_every_kind_and_script(settings: Any) -> None:
    settings.HOIIO = {}

    first, *lines = trigger("--list")

    assert first == "Kinds:"
    assert [text.split()[0] for text in lines if text != "Scripts:"] == [*Kind.values, *SCRIPTS]
    assert "  sms_delivered        sms_status, sms_status" in lines


# Received by the project itself.


@pytest.mark.django_db(transaction=True)
def test_triggered_notifications_are_stored_with_their_kinds(live_server: Any, settings: Any) -> None:
    settings.HOIIO = {"PUBLIC_URL": live_server.url, "API_URL": f"{live_server.url}/sandbox/open/"}
    expected = []
    for name, steps in SCRIPTS.items():
        trigger("--script", name, "--params-in", "both")
        expected += [step.kind.value for step in steps]

    assert [row.kind for row in Notification.objects.order_by("pk")] == expected
    assert set(Notification.objects.values_list("verified_by", flat=True)) == {VerifiedBy.URL}

"""`hoiio_urls --number … --configure`."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_hoiio import ivr
from django_hoiio.enums import Route, VerifiedBy
from django_hoiio.ivr import flows
from django_hoiio.verification import VerificationResult
from tests.client.test_client import verified
from tests.fake_hoiio import Hoiio

VOICE = {
    "number": "+6531234567",
    "forward_to": "https://old.example.com/voice",
    "mode": "voice",
    "capabilities": ["VOICE", "SMS"],
}
FAX = {"number": "+6537654321", "mode": "fax", "capabilities": "VOICE,FAX"}
UNKNOWN = {"number": "+6539999999"}
MUTE = {"number": "+6538888888", "mode": "fax", "capabilities": ["VOICE"]}
NUMBERS = {"status": "success_ok", "entries_count": "4", "entries": [VOICE, FAX, UNKNOWN, MUTE]}
DONE = {"status": "success_ok"}


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("hoiio_urls", *arguments, stdout=out)
    return out.getvalue().splitlines()


def sent(hoiio: Hoiio) -> dict[str, str]:
    """Return the parameters of update_forwarding without the credentials."""
    params = hoiio.requests[-1].params
    return {name: text for name, text in params.items() if name not in ("app_id", "access_token")}


def routes(params: dict[str, str]) -> dict[str, str]:
    return {name: verified(params[name])[0] for name in ("forward_to", "forward_sms_to") if name in params}


def test_without_configure_the_current_and_new_urls_are_shown_and_nothing_is_set(hoiio: Hoiio) -> None:
    hoiio.says(NUMBERS)

    lines = run("--number", "+6531234567")

    assert [request.path for request in hoiio.requests] == ["/open/number/get_active"]
    shown = [line.split()[:2] if "new" in line else line for line in lines]
    assert shown == [
        "+6531234567 voice",
        "  forward_to",
        "    now  https://old.example.com/voice",
        ["new", lines[3].split()[1]],
        "  forward_sms_to",
        "    now  nothing",
        ["new", lines[6].split()[1]],
        "Would set 2 URLs; add --configure.",
    ]
    assert [verified(lines[at].split()[1])[0] for at in (3, 6)] == [Route.IVR, Route.SMS]


def test_configure_sets_the_urls_that_were_shown(hoiio: Hoiio) -> None:
    hoiio.says(NUMBERS, DONE)

    lines = run("--number", "+6531234567", "--configure", "--pass-on", "shop=north")

    assert [request.path for request in hoiio.requests] == [
        "/open/number/get_active",
        "/open/number/update_forwarding",
    ]
    assert sent(hoiio) == {
        "number": "+6531234567",
        "mode": "voice",
        "forward_to": lines[3].split()[1],
        "forward_sms_to": lines[6].split()[1],
    }
    assert verified(lines[6].split()[1])[1] == VerificationResult(verified_by=VerifiedBy.URL, pass_on={"shop": "north"})
    assert lines[-1] == "Set 2 URLs."


@pytest.mark.parametrize("arguments", [(), ("--configure",)])
def test_urls_that_are_already_set_are_not_sent_again(hoiio: Hoiio, arguments: tuple[str, ...]) -> None:
    hoiio.says(NUMBERS)
    lines = run("--number", "+6531234567")
    set_already = {**VOICE, "forward_to": lines[3].split()[1], "forward_sms_to": lines[6].split()[1]}
    hoiio.requests.clear()
    hoiio.says({**NUMBERS, "entries": [set_already]})

    assert run("--number", "+6531234567", *arguments)[-1] == "They are already set."

    assert [request.path for request in hoiio.requests] == ["/open/number/get_active"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (FAX, {"mode": "fax", "forward_to": Route.FAX}),
        (UNKNOWN, {"mode": "voice", "forward_to": Route.IVR, "forward_sms_to": Route.SMS}),
    ],
    ids=["fax", "unknown"],
)
def test_urls_are_set_for_the_capabilities_of_the_number_and_its_mode_stays(
    hoiio: Hoiio, number: dict[str, Any], expected: dict[str, str]
) -> None:
    hoiio.says(NUMBERS, DONE)

    run("--number", number["number"], "--configure")

    assert {"mode": sent(hoiio)["mode"], **routes(sent(hoiio))} == expected


@pytest.mark.parametrize("written", ["6531234567", "+65 3123 4567"])
def test_number_is_found_without_plus_and_with_spaces(hoiio: Hoiio, written: str) -> None:
    hoiio.says(NUMBERS)

    assert run("--number", written)[0] == "+6531234567 voice"


def test_other_account_uses_its_own_credentials(hoiio: Hoiio) -> None:
    hoiio.says(NUMBERS, DONE)

    run("--account", "second", "--number", "+6531234567", "--configure")

    assert {request.params["app_id"] for request in hoiio.requests} == {"other-app"}
    assert verified(sent(hoiio)["forward_to"])[1].account == "second"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--configure"], "--configure needs a number; write --number +65... or --flows as well."),
        (
            ["--number", "+6511111111", "--configure"],
            "The account has no such number; Hoiio's portal lists its numbers.",
        ),
        (["--number", ""], "The account has no such number; Hoiio's portal lists its numbers."),
        (
            ["--number", "+6538888888", "--configure"],
            "Nothing to set: in its mode, the number takes neither calls, faxes nor SMS.",
        ),
        (
            ["--number", "+6531234567", "--account", "x"],
            "HOIIO['ACCOUNTS'] has no account 'x'; it has default, second.",
        ),
        (["--number", "+6531234567", "--pass-on", "bob"], "--pass-on is 'bob'; write it as NAME=VALUE."),
    ],
)
def test_invalid_arguments_are_reported_and_nothing_is_set(hoiio: Hoiio, arguments: list[str], message: str) -> None:
    hoiio.says(NUMBERS)

    with pytest.raises(CommandError) as raised:
        run(*arguments)
    assert str(raised.value) == message
    assert "/open/number/update_forwarding" not in [request.path for request in hoiio.requests]


def test_refusal_of_hoiio_is_reported(hoiio: Hoiio) -> None:
    hoiio.says(NUMBERS, {"status": "error_unable_to_resolve_forward_to"})

    with pytest.raises(CommandError) as raised:
        run("--number", "+6531234567", "--configure")
    assert str(raised.value) == (
        "Hoiio refused number/update_forwarding with error_unable_to_resolve_forward_to; use another one."
    )


async def _reception(call: ivr.Call) -> None:
    await call.play("Hello.")


def test_numbers_of_the_flows_are_shown_and_configured(
    hoiio: Hoiio, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(flows, "_flows", {})
    ivr.flow(numbers=["+6531234567"])(_reception)
    settings.HOIIO = {**settings.HOIIO, "IVR_FLOWS": {"+6539999999": f"{__name__}._reception"}}
    hoiio.says(NUMBERS, DONE, DONE)

    lines = run("--flows", "--configure")

    assert [line for line in lines if not line.startswith(" ")] == [
        f"+6531234567 voice {__name__}._reception",
        f"+6539999999 {__name__}._reception",
        "Set 4 URLs.",
    ]
    assert [request.params.get("number") for request in hoiio.requests[1:]] == ["+6531234567", "+6539999999"]
    assert routes(sent(hoiio)) == {"forward_to": Route.IVR, "forward_sms_to": Route.SMS}


def test_flows_without_a_number_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_flows", {})

    with pytest.raises(CommandError) as raised:
        run("--flows")
    assert str(raised.value) == ("No phone menu has a number; write it into its decorator or into HOIIO['IVR_FLOWS'].")

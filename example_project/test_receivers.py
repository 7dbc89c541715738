"""Text the project, with the test kit: `pytest --ds example_project.settings example_project`."""

from __future__ import annotations

import pytest

from django_hoiio.client import HoiioClient
from django_hoiio.testing import Hoiio

ANSWER = "Thank you. We call you back."
LONG = [letter * length for letter, length in (("a", 152), ("b", 152), ("c", 146))]


def answers(hoiio: Hoiio) -> list[str]:
    return [sent.dest for sent in hoiio.sent if sent.path == "sms/send"]


def test_sms_is_answered_and_the_answer_followed(hoiio: Hoiio, capsys: pytest.CaptureFixture[str]) -> None:
    hoiio.sms("Hello?", from_="+6591234567", to="+6531234567")
    (sent,) = hoiio.sent
    sent.deliver()

    assert (sent.dest, sent.msg, sent.row().sms_status) == ("+6591234567", ANSWER, "delivered")
    sms = hoiio.notifications[0].sms
    assert sms
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert printed == [
        ["sms_received", "+6591234567", "→", "+6531234567", '"Hello?"'],
        ["sms_status", "→", "+6591234567", "delivered", f"answer_to={sms.pk}"],
    ]


def test_repeated_and_long_sms_is_answered_once(hoiio: Hoiio) -> None:
    hoiio.faults(twice=True)
    hoiio.sms("x" * 310)

    assert (hoiio.signals.count("sms_received"), len(answers(hoiio))) == (6, 1)


# The sandbox gives each part a reference of its own. Hoiio may do otherwise.
@pytest.mark.parametrize(
    ("texts", "replies"),
    [
        pytest.param([(text, "AA-SI-1") for text in LONG], 1, id="a long one under one reference"),
        pytest.param([("One", "AA-SI-1"), ("Two", "AA-SI-1")], 1, id="two short ones under one reference"),
        pytest.param([(text, f"AA-SI-{text[0]}") for text in LONG], 1, id="a long one under several references"),
        pytest.param([(text, f"AA-SI-{text[0]}") for text in LONG[::-1]], 1, id="a long one, the last part first"),
        pytest.param([("One", "AA-SI-1"), ("Two", "AA-SI-2")], 2, id="two short ones"),
    ],
)
def test_sms_is_answered_once_however_it_is_divided(hoiio: Hoiio, texts: list[tuple[str, str]], replies: int) -> None:
    for text, txn_ref in texts:
        hoiio.post("sms_received", msg=text, txn_ref=txn_ref, **{"from": "+6511111111"})

    assert len(answers(hoiio)) == replies


def test_other_senders_and_later_sms_are_answered_separately(hoiio: Hoiio) -> None:
    hoiio.sms("a" * 152, from_="+6511111111")
    hoiio.wait(minutes=2)
    hoiio.sms("a" * 152, from_="+6511111111")
    hoiio.sms("a" * 152, from_="+6511111112")

    assert answers(hoiio) == ["+6511111111", "+6511111111", "+6511111112"]


def test_sender_name_is_not_answered(hoiio: Hoiio) -> None:
    hoiio.sms("Sale", from_="Shop")

    assert hoiio.sent == []


def test_answer_that_is_not_sent_is_logged_and_fails_no_receiver(
    hoiio: Hoiio, caplog: pytest.LogCaptureFixture
) -> None:
    hoiio.refuse("sms/send", None)
    hoiio.sms("Hello?")

    assert caplog.messages == [
        "Not done: No response from Hoiio to sms/send: ConnectionError. Hoiio may have carried it out."
    ]


def test_fax_is_printed(hoiio: Hoiio, capsys: pytest.CaptureFixture[str]) -> None:
    hoiio.fax(from_="+6591234567", pages=2)
    with HoiioClient() as client:
        client.fax.send(dest="+6591234567", file=b"%PDF-1.4")
    hoiio.wait()
    hoiio.sent[-1].deliver("failed")

    received, sent = capsys.readouterr().out.splitlines()
    assert received.startswith("fax_received      +6591234567 → ")
    assert sent.startswith("fax_status        → +6591234567                failed")


def test_control_characters_do_not_reach_the_terminal(hoiio: Hoiio, capsys: pytest.CaptureFixture[str]) -> None:
    hoiio.sms("\x1b[2Ja\nb", from_="Shop")

    assert '" [2Ja b"' in capsys.readouterr().out

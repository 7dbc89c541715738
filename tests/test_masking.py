from __future__ import annotations

import logging
from typing import Any

import pytest

from django_hoiio import masking
from django_hoiio.kinds import Route
from django_hoiio.verification import sign


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+6511111111", "+65••••1111"),
        ("+16201234567", "+16••••4567"),
        ("6511111111", "••••1111"),
        ("91234567", "••••4567"),
        ("+91234567", "••••4567"),
        ("", ""),
        ("+6512345", "••••"),
        ("private", "••••"),
        ("HOIIO", "••••"),
        ("+65 1111 1111", "••••"),
        ("room:R1234", "••••"),
    ],
)
def test_number_shows_where_it_belongs_and_its_end(number: str, shown: str) -> None:
    assert masking.number(number) == shown


@pytest.mark.parametrize(("text", "shown"), [("secret", "••••"), ("", "")])
def test_text_shows_that_there_is_one(text: str, shown: str) -> None:
    assert masking.text(text) == shown


TOKEN = sign(Route.SMS, "default", {"username": "bob"})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"Forbidden: /hoiio/sms/{TOKEN}/", "Forbidden: /hoiio/sms/••••/"),
        (f'"POST /hoiio/sms/{TOKEN} HTTP/1.1" 200', '"POST /hoiio/sms/•••• HTTP/1.1" 200'),
        ("called +6511111111.", "called +••••."),
        ("/x?a=%2B6511111111&b=%252b6522222222", "/x?a=+••••&b=+••••"),
        ("/x?from=6511111111&msg=secret+text&x=1", "/x?from=••••&msg=••••&x=1"),
        ('"GET /api/hoiio/sms/?number=91231111&tag=x HTTP/1.1"', '"GET /api/hoiio/sms/?number=••••&tag=x HTTP/1.1"'),
        ('{"msg": "secret \\"text\\"", "tag": "x"}', '{"msg": "••••", "tag": "x"}'),
        ("{'msg': 'secret text', 'dest2': '1'}", "{'msg': '••••', 'dest2': '••••'}"),
        ("record_url=http://e.com/r.mp3?Signature=X", "record_url=••••"),
        # The separator of a token, percent-encoded once or twice.
        (f"/hoiio/sms/{TOKEN.replace('~', '%7E')}/", "/hoiio/sms/••••/"),
        (f"/hoiio/sms/{TOKEN.replace('~', '%7e')}/", "/hoiio/sms/••••/"),
        (f"next=%2Fhoiio%2Fsms%2F{TOKEN.replace('~', '%257E')}", "next=%2Fhoiio%2Fsms%••••"),
        # How Python writes what it holds.
        ("<QueryDict: {'msg': ['SECRET text']}>", "<QueryDict: {'msg': [••••]}>"),
        ("{'to': ['+651'], 'msg': ['a', \"it's\"], 'x': ['1']}", "{'to': [••••], 'msg': [••••], 'x': ['1']}"),
        ("""{'msg': "it's SECRET"}""", """{'msg': "••••"}"""),
        (r"{'msg': 'it\'s \"SECRET\"'}", "{'msg': '••••'}"),
        ("{b'msg': b'SECRET', 'digits': 1234}", "{b'msg': b'••••', 'digits': ••••}"),
        ("[('msg', 'SECRET'), ('x', '1')]", "[('msg', '••••'), ('x', '1')]"),
        ("Parsed(kind='sms', msg='SECRET text', n=1)", "Parsed(kind='sms', msg='••••', n=1)"),
        ("Sms(from_number='91234567', other_number=\"91234567\")", "Sms(from_number='••••', other_number=\"••••\")"),
        ("b'txn_ref=AA-S-1&msg=SECRET&to=%2B65'", "b'txn_ref=AA-S-1&msg=••••&to=••••'"),
        (r"'POST /\r\n\r\nmsg=SECRET'", r"'POST /\r\n\r\nmsg=••••'"),
        ("{'msg': 'two\nlines'}", "{'msg': '••••'}"),
        ("{'msg': None, 'to': '', 'from': []}", "{'msg': None, 'to': '', 'from': [••••]}"),
        # JSON, also in a text, and cut off.
        ('{"msg": ["SECRET", "more"], "x": 1}', '{"msg": [••••], "x": 1}'),
        (r'"{\"msg\": \"SECRET \\\"q\\\" x\", \"a\": 1}"', r'"{\"msg\": \"••••\", \"a\": 1}"'),
        ('{"msg": null, "to": ""}',) * 2,
        ('{"msg": "SECRET cut o', '{"msg": "••••'),
        # Forms.
        ("?msg=it's+SECRET&x=1", "?msg=••••&x=1"),
        (
            "next=%2Fhoiio%3Fmsg%3DSECRET%2Btext%26to%3D%252B65%26x%3D1",
            "next=%2Fhoiio%3Fmsg%3D••••%26to%3D••••%26x%3D1",
        ),
        # Numbers as people write them.
        ("call +65 9123 4567 now", "call +•••• now"),
        ("+65-9123-4567, +65 (9123) 4567, +65.9123.4567", "+••••, +••••, +••••"),
        ("+65\u00a09123\u00a04567 and %2B65%209123%204567", "+•••• and +••••"),
        (r"\u002b6591234567 and %252B6591234567", "+•••• and +••••"),
        # What is nobody's.
        ("Notification 12 of AA-S-471804 at 2026-01-01 08:00:00 took 1200345 ms.",) * 2,
        ("2026-11-29T05:00:00+08:00 [29/Nov/2026:05:00:00 +0800] 12345 200",) * 2,
        ("05:00:00 +1000 200 POST 10.20.30.40:8000 +5 C++ 1+1",) * 2,
        ("6f1c1a2e-1111-4222-8333-123456789012 from the spool to the database: 2 msgs",) * 2,
    ],
)
def test_line_shows_no_token_number_text_or_link(line: str, shown: str) -> None:
    assert masking.line(line) == shown


def _logged(caplog: pytest.LogCaptureFixture, log: Any) -> str:
    caplog.handler.addFilter(masking.MaskingFilter())
    log(logging.getLogger("shop"))
    return caplog.text


def test_filter_masks_message_arguments_traceback_and_stack(caplog: pytest.LogCaptureFixture) -> None:
    def log(logger: logging.Logger) -> None:
        try:
            raise ValueError("+6511111111")
        except ValueError:
            logger.exception("%s failed with %s", "/hoiio/sms/" + TOKEN, {"msg": "secret"}, stack_info=True)

    text = _logged(caplog, log)

    assert "/hoiio/sms/•••• failed with {'msg': '••••'}" in text
    assert "ValueError: +••••" in text
    assert not any(private in text for private in ("6511111111", TOKEN, 'secret"}'))


def test_filter_drops_nothing_and_survives_arguments_that_do_not_fit() -> None:
    filtering = masking.MaskingFilter()
    odd = logging.LogRecord("shop", logging.INFO, "", 0, "%d %d", ("x",), None)

    assert filtering.filter(odd) is True
    assert odd.args == ("x",)

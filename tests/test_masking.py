from __future__ import annotations

import logging
from typing import Any

import pytest

from django_hoiio import masking
from django_hoiio.enums import Route
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
def test_masked_number_shows_its_country_code_and_its_end(number: str, shown: str) -> None:
    assert masking.number(number) == shown


@pytest.mark.parametrize(("text", "shown"), [("secret", "••••"), ("", "")])
def test_text_shows_that_there_is_one(text: str, shown: str) -> None:
    assert masking.text(text) == shown


TOKEN = sign(Route.SMS, "default", {"username": "bob"})
COMPRESSED = ".eJyrVirIzC9KzclMVrJSKkvMKU1VqgUAUfMHXQ" + TOKEN[TOKEN.index("~") :]


@pytest.mark.parametrize("separator", ["~", "%7E", "%7e", "%257E", "%25257e", "\\x7e", "\\u007E"])
@pytest.mark.parametrize("token", [TOKEN, COMPRESSED, TOKEN.replace("-", "%2D").replace("_", "%5F")])
@pytest.mark.parametrize("line", ["Forbidden: /hoiio/sms/{}/", '"POST /hoiio/sms/{} HTTP/1.1" 200', "{}"])
def test_line_shows_no_token(line: str, token: str, separator: str) -> None:
    assert masking.line(line.format(token.replace("~", separator))) == line.format("••••")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/x?from=6511111111&msg=secret+text&x=1", "/x?from=••••&msg=••••&x=1"),
        ('"GET /api/hoiio/sms/?number=91231111&tag=x HTTP/1.1"', '"GET /api/hoiio/sms/?number=••••&tag=x HTTP/1.1"'),
        ('"GET /x?msg=secret+text HTTP/1.1" 200', '"GET /x?msg=•••• HTTP/1.1" 200'),
        ('"GET /x?msg=it\'s+secret&tag=x HTTP/1.1" 200', '"GET /x?msg=••••&tag=x HTTP/1.1" 200'),
        ("/x?msg=%D0%B9%20secret&tag=x", "/x?msg=••••&tag=x"),
        (
            "/y?next=%2Fx%3Ffrom%3D%252B6511%26msg%3Dsecret%26tag%3Dx",
            "/y?next=%2Fx%3Ffrom%3D••••%26msg%3D••••%26tag%3Dx",
        ),
        ("record_url=http://e.com/r.mp3?Signature=X", "record_url=••••"),
        ("msg=two secret words&tag=x", "msg=••••&tag=x"),
        ("Sent msg=two secret words tag=x in 3 ms", "Sent msg=•••• tag=x in 3 ms"),
        ("msg=two\nsecret = lines&tag=x\nnext line", "msg=••••&tag=x\nnext line"),
        ("msg=:(secret&tag=x", "msg=••••&tag=x"),
        ("from=9123 4567 tag=x", "from=•••• tag=x"),
        ("dest=(91) 23-45-67&tag=x", "dest=••••&tag=x"),
        ("b'msg=secret+text&tag=x'", "b'msg=••••&tag=x'"),
        ("b'tag=x&msg=secret+text' was read", "b'tag=x&msg=••••' was read"),
        ("'msg=it\\'s secret&tag=x'", "'msg=••••&tag=x'"),
        ("'tag=x&msg=the dogs\\' secret'", "'tag=x&msg=••••'"),
        ('{"body": "msg=secret text"}', '{"body": "msg=••••"}'),
        ('"{\\"body\\": \\"msg=secret text\\"}"', '"{\\"body\\": \\"msg=••••\\"}"'),
    ],
)
def test_line_shows_no_value_of_a_form(line: str, shown: str) -> None:
    assert masking.line(line) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"msg": "secret \\"text\\"", "tag": "x"}', '{"msg": "••••", "tag": "x"}'),
        ("{'msg': 'secret text', 'dest2': '1'}", "{'msg': '••••', 'dest2': '••••'}"),
        ("<QueryDict: {'msg': ['secret text'], 'tag': ['x']}>", "<QueryDict: {'msg': [••••], 'tag': ['x']}>"),
        ("{'msg': \"it's secret\", 'tag': 'x'}", "{'msg': \"••••\", 'tag': 'x'}"),
        ("{'msg': 'it\\'s \"secret\"', 'tag': 'x'}", "{'msg': '••••', 'tag': 'x'}"),
        ("{'msg': 'it's secret', 'tag': 'x'}", "{'msg': '••••', 'tag': 'x'}"),
        ('{"msg": ["secret"], "tag": "x"}', '{"msg": [••••], "tag": "x"}'),
        ('{"msg": ["]", "secret", ["}"]], "tag": "x"}', '{"msg": [••••], "tag": "x"}'),
        ('{"msg": {"text": "secret"}, "tag": "x"}', '{"msg": {••••}, "tag": "x"}'),
        ('{"msg":"\\u00e9 secret\\n\\"","from":91234567,"tag":"x"}', '{"msg":"••••","from":••••,"tag":"x"}'),
        ("{'msg': 'two\\nsecret lines', 'tag': 'x'}", "{'msg': '••••', 'tag': 'x'}"),
        ("{'msg': 'two\nsecret lines', 'tag': 'x'}", "{'msg': '••••', 'tag': 'x'}"),
        ("{b'msg': b'secret', b'tag': b'x'}", "{b'msg': b'••••', b'tag': b'x'}"),
        ("[('msg', 'secret'), ('tag', 'x')]", "[('msg', '••••'), ('tag', 'x')]"),
        ('[["msg", "secret"], ["tag", "x"]]', '[["msg", "••••"], ["tag", "x"]]'),
        ("MultiDict([('msg', \"it's secret\"), ('tag', 'x')])", "MultiDict([('msg', \"••••\"), ('tag', 'x')])"),
        ('"{\\"msg\\": \\"a \\\\\\"secret\\\\\\" b\\", \\"tag\\": 1}"', '"{\\"msg\\": \\"••••\\", \\"tag\\": 1}"'),
        ('b\'{"msg": "say \\\\"secret\\\\" now", "tag": 1}\'', 'b\'{"msg": "••••", "tag": 1}\''),
        ("'{\\'msg\\': \"it\\'s secret\", \\'tag\\': 1}'", "'{\\'msg\\': \"••••\", \\'tag\\': 1}'"),
        ("%7B%22msg%22%3A+%22secret+text%22%2C+%22tag%22%3A+1%7D", "%7B%22msg%22%3A+%22••••%22%2C+%22tag%22%3A+1%7D"),
        ("{&#x27;msg&#x27;: &#x27;secret&#x27;}", "{&#x27;msg&#x27;: &#x27;••••&#x27;}"),
        ("Sms(msg='secret', from_number='6511111111', id=3)", "Sms(msg='••••', from_number='••••', id=3)"),
        (
            "Call(to_number=None, remote_number='91234567', digits='1234', id=3)",
            "Call(to_number=•••• remote_number='••••', digits='••••', id=3)",
        ),
        ("Fax(fax_url='https://e.com/secret', id=3)", "Fax(fax_url='••••', id=3)"),
        ("Sms(dest=PhoneNumber(65, 'secret 91234567'), id=3)", "Sms(dest=PhoneNumber(••••), id=3)"),
        ("{'dest': <PhoneNumber: 91234567>, 'id': 3}", "{'dest': <••••>, 'id': 3}"),
        ("    msg = 'secret'\n    tag = 'x'", "    msg = '••••'\n    tag = 'x'"),
        ('name="msg"\r\n\r\ntwo\r\nsecret lines\r\n--b--', 'name="msg"\r\n\r\n••••\r\n--b--'),
        ("{'msg': 'a secret that is cut o...", "{'msg': '••••"),
    ],
)
def test_line_shows_no_value_of_json_or_a_repr(line: str, shown: str) -> None:
    assert masking.line(line) == shown


@pytest.mark.parametrize("before", ["called ", "tel:", "'", "x=", "\\n", ""])
@pytest.mark.parametrize(
    "number",
    [
        "+6511111111",
        "+65 9123 4567",
        "+65-9123-4567",
        "+65 (9123) 4567",
        "+65 - (9123) 4567",
        "+65.9123.4567",
        "+65    9123    4567",
        "+65\u00a09123\u20114567",
        "+65\n9123 4567",
        "+65\\xa09123\\u00a04567",
        "+(65) 9123 4567",
        "+1 (620) 123-4567",
        "+33 1 42 68 53 00",
        "+65123",
        "\uff0b６５９１２３４５６７",
        "%2B6511111111",
        "%252b6522222222",
        "%2B65+9123+4567",
        "%2B65%209123%2D4567",
        "\\u002b6591234567",
    ],
)
def test_line_shows_no_international_number(before: str, number: str) -> None:
    assert masking.line(f"{before}{number}.") == f"{before}+••••."


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/x?a=%2B6511111111&b=%252b6522222222", "/x?a=+••••&b=+••••"),
        ("+6511111111 12 notifications", "+•••• 12 notifications"),
        ("+65 9123 4567 2026-11-29 05:00", "+•••• 2026-11-29 05:00"),
        ("at 05:00 +6511111111, +0800", "at 05:00 +••••, +0800"),
        ("+5 +65 9123 4567", "+5 +••••"),
    ],
)
def test_masking_leaves_the_text_beside_a_number(line: str, shown: str) -> None:
    assert masking.line(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "Notification 12 of AA-S-471804 at 2026-01-01 08:00:00 took 1200345 ms.",
        "2026-11-29T05:00:00+08:00 and 2026-11-29 05:00:00+0800 and 2026-11-29 05:00:00,123 +1000 1200345 ms",
        "[29/Nov/2026:05:00:00 +0800] 192.168.10.100 2001:db8::1",
        "UTC+8 2026-11-29 05:00:00",
        "x = 3 + 12345678, i += 12345678, C++17, +1, +1234",
        "550e8400-e29b-41d4-a716-446655440000 and 00000000-0000-0000-0000-000000000007",
        "Missing: ['from', 'to', 'msg'] and ('dest1', 'dest2').",
        "moved from here to there; the number is 91234567, and a msg",
        "if msg == text: to == 3",
        "/hoiio/sms/?tag=x&username=bob&txn_ref=AA-S-471804&date=2012-06-06+11%3A15%3A20",
        "{'tag': 'x', 'txn_ref': 'AA-S-471804', 'duration': 3, 'debit': Decimal('0.013')}",
        "Sms(pk=12, tag='it\\'s', kind='sms_status', message_from='x')",
        "backup~2026, ~/folder/of/the/project, file.txt~",
    ],
)
def test_masking_leaves_text_that_is_not_private(line: str) -> None:
    assert masking.line(line) == line


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

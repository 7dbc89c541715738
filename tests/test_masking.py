from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe

from django_hoiio import masking
from django_hoiio.enums import Route
from django_hoiio.models import Fax, ReceiverFailure, Sms
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
        ("msg=two secret words", "msg=••••"),
        ("/x?msg=&tag=x", "/x?msg=••••&tag=x"),
        ("dest=[secret&tag=x", "dest=[••••&tag=x"),
        ("dest=[secret", "dest=[••••"),
        ("msg=:(secret&tag=x", "msg=••••&tag=x"),
        ("from=9123 4567 tag=x", "from=•••• tag=x"),
        ("dest=(91) 23-45-67&tag=x", "dest=••••&tag=x"),
        ("from=&msg=&tag=x", "from=••••&msg=••••&tag=x"),
        ("msg=(secret&tag=x", "msg=(••••&tag=x"),
        ("msg=[secret] text&tag=x", "msg=[••••&tag=x"),
        ("MSG=[secret] text&tag=x", "MSG=[••••&tag=x"),
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
        ('{"msg": ["a \\"secret]\\" & more", 1], "tag": "x"}', '{"msg": [••••], "tag": "x"}'),
        ('{"msg": ["secret that is cut o...', '{"msg": [••••'),
        ("{'msg': ['it\\'s ] secret', 'x'], 'tag': 'x'}", "{'msg': [••••], 'tag': 'x'}"),
        ("{'msg': ['it\\'s ] secret], 'tag", "{'msg': [••••"),
        ("{'msg': [a & secret], 'tag': 'x'}", "{'msg': [••••], 'tag': 'x'}"),
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
        ("Sms(msg=&quot;secret&quot;, id=3)", "Sms(msg=&quot;••••&quot;, id=3)"),
        ("Sms(msg='secret', from_number='6511111111', id=3)", "Sms(msg='••••', from_number='••••', id=3)"),
        (
            "Call(to_number=None, remote_number='91234567', digits='1234', id=3)",
            "Call(to_number=•••• remote_number='••••', digits='••••', id=3)",
        ),
        ("Fax(fax_url='https://e.com/secret', id=3)", "Fax(fax_url='••••', id=3)"),
        ("Sms(dest=PhoneNumber(65, 'secret 91234567'), id=3)", "Sms(dest=PhoneNumber(••••), id=3)"),
        ("{'dest': <PhoneNumber: 91234567>, 'id': 3}", "{'dest': <••••>, 'id': 3}"),
        ("    msg = 'secret'\n    tag = 'x'", "    msg = '••••'\n    tag = 'x'"),
        (
            'name="tag"\r\n\r\nx\r\n--b\r\nname="msg"\r\n\r\ntwo\r\nsecret lines\r\n--b--',
            'name="tag"\r\n\r\nx\r\n--b\r\nname="msg"\r\n\r\n••••\r\n--b--',
        ),
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
        "+65 12345",
        "+1000 1200345",
        "+0065 9123 4567",
        "\uff0b６５９１２３４５６７",
        "%2B6511111111",
        "%252b6522222222",
        "%2B65+9123+4567",
        "%2B65%209123%2D4567",
        "%2B65+2012-10-30+4567",
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
        ("at 05:00:00 +65 9123 4567", "at 05:00:00 +••••"),
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
        "05:00:00 +1000 1200345 ms, 05:00:00.123456789 +1000 1200345 ms, +0800 1200345 ms",
        "x = 3 + 12345678, i += 12345678, C++17, +1, +1234, +65 1234",
        "3%20%2B%2012345678",
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


def test_filter_formats_a_traceback_that_no_handler_has_formatted() -> None:
    try:
        raise ValueError("+6511111111")
    except ValueError:
        record = logging.LogRecord("shop", logging.ERROR, "", 0, "failed", (), sys.exc_info(), sinfo="at +6511111111")

    assert masking.MaskingFilter().filter(record) is True
    first, *_, last = (record.exc_text or "").splitlines()
    assert (first, last) == ("Traceback (most recent call last):", "ValueError: +••••")
    assert record.stack_info == "at +••••"


def test_filter_masks_a_traceback_that_a_handler_has_formatted() -> None:
    record = logging.LogRecord("shop", logging.ERROR, "", 0, "failed", (), (ValueError, ValueError("new"), None))
    record.exc_text = "ValueError: +6511111111"

    assert masking.MaskingFilter().filter(record) is True
    assert record.exc_text == "ValueError: +••••"


def test_filter_adds_no_traceback() -> None:
    record = logging.LogRecord("shop", logging.INFO, "", 0, "called %s", ("+6511111111",), None)

    assert masking.MaskingFilter().filter(record) is True
    assert (record.getMessage(), record.exc_text, record.stack_info) == ("called +••••", None, None)


def test_filter_drops_nothing_and_survives_arguments_that_do_not_fit() -> None:
    filtering = masking.MaskingFilter()
    odd = logging.LogRecord("shop", logging.INFO, "", 0, "%d %d", ("x",), None)

    assert filtering.filter(odd) is True
    assert odd.args == ("x",)


# Fields of users without the permissions.

PERSONAL, RECORDINGS, RAW = masking.VIEW_PERSONAL_DATA, masking.VIEW_RECORDINGS, masking.VIEW_RAW


def request_of(*permissions: str) -> Any:
    def has_perms(names: Collection[str]) -> bool:
        return {*names} <= {*permissions}

    return SimpleNamespace(user=SimpleNamespace(has_perms=has_perms))


def test_title_of_a_masked_value_names_the_permissions_that_show_it() -> None:
    number, raw = masking.NUMBER.mask("+6591231111"), masking.RAW.mask("txn_ref=AA-S-1")

    assert (number, raw) == ("+65••••1111", "••••")
    assert conditional_escape(number) == (
        '<span class="hoiio-masked" title="Needs the permission “Can view phone numbers and message texts”.">'
        "+65••••1111</span>"
    )
    assert conditional_escape(raw) == (
        '<span class="hoiio-masked" title="Needs the permissions “Can view raw requests”, “Can view phone numbers and'
        ' message texts” and “Can view recordings and faxes”.">••••</span>'
    )


def test_title_is_also_put_around_other_content() -> None:
    fax = masking.LINK.mask("https://example.com/f.pdf")
    title = '<span class="hoiio-masked" title="Needs the permission “Can view recordings and faxes”.">'

    assert isinstance(fax, masking.MaskedText)
    assert fax.titled(mark_safe("<i>a</i>")) == f"{title}<i>a</i></span>"
    assert fax.titled("<i>") == f"{title}&lt;i&gt;</span>"


def test_empty_value_is_not_masked() -> None:
    assert (type(masking.TEXT.mask("")), masking.TEXT.mask("")) == (str, "")


@pytest.mark.parametrize(
    ("permissions", "shown"),
    [
        ((), ("••••", "+65••••1111", "••••", "••••")),
        ((PERSONAL,), ("hello", "+6591231111", "••••", "••••")),
        ((RECORDINGS,), ("••••", "+65••••1111", "https://example.com/f.pdf", "••••")),
        ((PERSONAL, RECORDINGS), ("hello", "+6591231111", "https://example.com/f.pdf", "••••")),
        ((PERSONAL, RECORDINGS, RAW), ("hello", "+6591231111", "https://example.com/f.pdf", "Traceback")),
    ],
)
def test_rows_show_the_fields_that_the_permissions_allow(permissions: tuple[str, ...], shown: tuple[str, ...]) -> None:
    sms = Sms(msg="hello", remote_number="+6591231111", tag="a")
    fax, failure = Fax(fax_url="https://example.com/f.pdf"), ReceiverFailure(traceback="Traceback")
    masking.mask_rows(request_of(*permissions), [sms, fax, failure])

    assert (sms.msg, sms.remote_number, fax.fax_url, failure.traceback) == shown
    assert (sms.tag, sms.from_number, fax.remote_number) == ("a", "", "")


def test_deferred_fields_of_a_row_are_not_fetched() -> None:
    """The row has no database, so fetching would fail."""
    row = Sms.from_db(None, ["id", "msg"], (1, "hello"))
    masking.mask_rows(request_of(), [row])

    assert row.msg == "••••"
    assert "dest" in row.get_deferred_fields()

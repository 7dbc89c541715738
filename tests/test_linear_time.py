"""What reads foreign text takes linear time: 1 MiB of its worst input in less than a second.

What is quadratic takes minutes or hours for as much, so that the clock decides safely.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from django_hoiio import exceptions, masking, notify_urls, searching, spool, views
from django_hoiio.admin.cells import guarded, unguarded
from django_hoiio.api import cursors, moments
from django_hoiio.kinds import Route
from django_hoiio.models import tail_of
from django_hoiio.parsing import parse
from django_hoiio.retention.numbers import Spellings, digits_of
from django_hoiio.verification import verify

from .conftest import arrival

SIZE = 1024 * 1024

NUMBER = "+6511111111"


def filled(pattern: str) -> str:
    """`a[b]c` is `a`, as many times `b` as make 1 MiB, and `c`."""
    before, _, rest = pattern.partition("«")
    repeated, _, after = rest.partition("»")
    return before + repeated * (SIZE // len(repeated)) + after


def assert_quick(read: Callable[[], Any]) -> None:
    """Try several times, in processor time: other programs slow the machine down."""
    assert any(_seconds(read) < 1 for _ in range(5))


def _seconds(read: Callable[[], Any]) -> float:
    begun = time.process_time()
    read()
    return time.process_time() - begun


# What repeats may begin a match at each place, or be a part of one that never ends.
TEXTS = [
    "«A»",
    "/hoiio/sms/«A»/",
    "«A~»",
    "«AAAAAAAA~»",
    "«aaaaaaaa~aaaaaaaaaaaaaaaaaaa.»",
    "«aaaaaaaa%7E»",
    "«%»",
    "«%25»x",
    "aaaaaaaa«%25»",
    "«%7E»",
    "«%2»",
    "«%20»",
    "«%5C»",
    "«%5C%22»",
    "«%2B»",
    "%2B1«%20»x",
    "+1« »x",
    "+1«-»",
    "«+»",
    "«+1»",
    "«+1 »",
    "+«1 »x",
    "«+1-»x",
    "«+65 1111 »",
    "+«65%20»",
    "«\\»",
    "+«\\»",
    "«\\u002b»",
    "«\\n»",
    '«"»',
    "«'»",
    '«\\"»',
    "«msg=»",
    "«&msg=»",
    "«msg »",
    "msg«  »",
    "msg=« »",
    "msg=«a »",
    "msg=«a' »",
    "msg=«'a»",
    "msg=«a=b »",
    "msg=«\n»",
    "«msg=(»",
    "«msg=a(»",
    "«msg=[»",
    "«msg='»",
    "«msg=''»",
    "«msg='a»'",
    "«msg=<»",
    "msg=«(»",
    'msg=«["]»',
    "«msg=(')»",
    "msg=«a.»",
    "from=«1 »",
    "from=(«1»",
    "from=«\\»",
    "«from=1 »",
    "from=« »",
    "«'msg':»",
    "«'msg': »",
    "'msg'« »",
    "'msg':«%20»",
    "'msg': '«a' »",
    "'msg': '«a\\' »",
    "'msg': '«\\»",
    "'msg': [«'a', »",
    "'msg': [«[»",
    "«'msg': [»",
    "«'msg': ['»",
    "«('msg', 'a»",
    '«name="msg"\r\n\r\n»',
    "«msg%3D»",
    "msg%3D«%26»",
    "msg%3D«%25»",
    "«&#x27;»",
    "&«#0»",
    "&#«0»",
    "«2026-11-29 »",
    "+1«2026-11-29 »",
    "«é»",
    "«０»",
    "＋«６ »",
    "«\u00a0»",
    "«\n»",
]


@pytest.mark.parametrize("text", TEXTS)
def test_line_is_masked_in_linear_time(text: str) -> None:
    assert_quick(lambda: masking.line(filled(text)))


def test_long_token_is_masked_whole() -> None:
    assert masking.line(filled("/sms/«A»~") + "B" * 43 + "/") == "/sms/••••/"


@pytest.mark.parametrize("text", ["«1»", "+«1»", "+«1»x", "«+»"])
def test_number_is_masked_in_linear_time(text: str) -> None:
    assert_quick(lambda: masking.number(filled(text)))


SPELLED = [
    "«A»",
    "«%»",
    "«%25»",
    "«%20»",
    "«%2B»",
    "«+»",
    "«\\»",
    "«\\n»",
    "«\\u002b»",
    "«é»",
    "« »",
    "«\u00a0»",
    "«6»",
    "«6 »",
    "6« »",
    "«65»",
    "«65 »",
    "«65     »",
    "65« »1111 1111",
    "«65 1111 111»",
    "«65 1111 1111»",
    "«65 1111 111x»",
    "«65%20»",
    "«6%»",
    "«6\\»",
    "6«\\»",
    "«6\\n»",
    "6«\\n»",
    "«6\\u0020»",
    "«&#43;»",
    "«00»",
    "«00 »",
    "00« »",
    "«+ »",
    "«+(»",
    "«+%2B»",
    "«\\x36»",
    "«６»",
    "«6\u200b»",
    "+«1 »6511111111",
]


@pytest.mark.parametrize("text", SPELLED)
def test_number_is_searched_in_linear_time(text: str) -> None:
    spellings = Spellings([NUMBER])

    assert_quick(lambda: spellings.may_be_in(filled(text)))


@pytest.mark.parametrize("text", SPELLED)
def test_number_is_taken_out_in_linear_time(text: str) -> None:
    spellings, held = Spellings([NUMBER]), f"{filled(text)} {NUMBER}"

    assert_quick(lambda: spellings.removed_from(held))


@pytest.mark.parametrize("text", ["« »", "« »x", "«1»", "«1»x", "«+»", "«1 »x", "«0»"])
def test_number_to_forget_is_read_in_linear_time(text: str) -> None:
    def read() -> None:
        try:
            digits_of(filled(text))
        except ValueError:
            return

    assert_quick(read)


BODIES = [
    "«A»",
    "«\\»",
    "«é»",
    "«&»",
    "«=»",
    "«a&»",
    "«a&»é",
    "«a=&»é",
    "«%&»",
    "«%41&»",
    "«a=%41&»",
    "a=«%»",
    "a=«%4»",
    "a=«%E9»",
    "a=«%00»",
    "a=«+»",
    "«{»",
    '{"a":«[»',
    '{"a":«{"a":»',
    '{"a":«1»',
    '{"a":«1»}',
    '{"a":1e«1»}',
    '{"a":«-»}',
    '{"a":"«\\u0000»"}',
    '{"a":"«\\ud83d»"}',
    '{"a":"«\\»"}',
    '{"a":« »}',
    "« »{",
    '{«"a":1,»"b":2}',
    '{"a":[«[],»1]}',
    *(
        f"{name}={value}"
        for name in ("rate", "split_count", "date", "from")
        for value in ("« »", "«1»", "1«.»", "1.«0»x")
    ),
    "date=2012-06-06 11:15:20.«1»",
    "date=2012-06-06 11:15:20« »x",
    "rate=« »1« »",
]


@pytest.mark.parametrize("text", BODIES)
def test_body_is_read_in_linear_time(text: str) -> None:
    one = arrival("any", "", filled(text))

    assert_quick(lambda: parse(one))


@pytest.mark.parametrize("text", ["«&»", "«a&»", "«%&»", "«%41&»", "a=«%»", "a=«%E9»", "a=«+»"])
def test_query_is_read_in_linear_time(text: str) -> None:
    one = arrival("any", filled(text))

    assert_quick(lambda: parse(one))


@pytest.mark.parametrize(
    "body",
    [
        "«--b\r\n»",
        "«\r\n--b»",
        "--b\r\n«Content-Disposition: ;»",
        "--b\r\n«Content-Disposition: form-data; name=»",
        '--b\r\nContent-Disposition: form-data«; name="»',
        "--b\r\nContent-Disposition: form-data;« »x",
        "--b\r\nContent-Disposition: form-data«;»",
        "--b\r\n«Content-Disposition: ;\r\n»",
        '--b\r\n«Content-Disposition: ; name="\r\n»',
        f"«--b\r\n{'content-disposition:' * 200}\r\n\r\n»",
        f"«--b\r\n{'content-disposition:;' * 190}\r\n\r\n»",
        '«--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n»',
    ],
)
def test_multipart_body_is_read_in_linear_time(body: str) -> None:
    one = arrival("any", "", filled(body), headers={"Content-Type": "multipart/form-data; boundary=b"})

    assert_quick(lambda: parse(one))


@pytest.mark.parametrize(
    "content_type",
    [
        "«multipart/form-data»",
        "multipart/form-data«;»",
        "multipart/form-data;« »",
        "multipart/form-data«; boundary»",
        'multipart/form-data«;boundary="»',
        'multipart/form-data«;boundary=""»',
        "multipart/form-data; boundary=«a»",
        'multipart/form-data; boundary="«a»',
    ],
)
def test_content_type_is_read_in_linear_time(content_type: str) -> None:
    one = arrival("any", "", "--" + "a" * SIZE, headers={"Content-Type": filled(content_type)})

    assert_quick(lambda: parse(one))


@pytest.mark.parametrize("boundary", ["a" * 60 + "b", "a" * 5000 + "b", "ab" * 40])
def test_boundary_is_searched_in_linear_time(boundary: str) -> None:
    one = arrival(
        "any", "", "-" + "-a" * (SIZE // 2), headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )
    other = one._replace(body=b"a" * SIZE)

    assert_quick(lambda: parse(one))
    assert_quick(lambda: parse(other))


class _Drops(io.RawIOBase):
    """A stream that gives one byte at a time."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        self.left -= 1
        return b"x" if self.left >= 0 else b""


def test_body_that_comes_byte_by_byte_is_read_in_linear_time() -> None:
    def request() -> Any:
        made = RequestFactory().post("/", HTTP_TRANSFER_ENCODING="chunked")
        made.META.update({"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": _Drops(SIZE)})
        return made

    assert views._read_body(request()) == b"x" * SIZE
    assert_quick(lambda: views._read_body(request()))


@pytest.mark.parametrize("text", ["«A»", "«A»~A", "«~»", ".«A»~A", "«%»"])
def test_token_and_signature_are_verified_in_linear_time(text: str) -> None:
    held = filled(text)

    assert_quick(lambda: verify(Route.SMS, held[:-1] + str(time.process_time()), b"", held))


@pytest.mark.parametrize("text", ["«\\»", "«\\»u0000", "«\\u0000»", "«\\\\u000»"])
def test_values_to_pass_on_are_checked_in_linear_time(text: str) -> None:
    def check() -> None:
        try:
            notify_urls._check_pass_on({"x": filled(text)})
        except ValueError:
            return

    assert_quick(check)


@pytest.mark.parametrize(
    "text",
    [
        "«A»",
        "«[»",
        '{"query":«[»',
        '{"query":«1»}',
        '{"uuid":"«0»"}',
        '{"uuid":"«-»"}',
        '{"uuid":"«0»","received_at":"«0»"}',
        "«\\»",
        '{"body":"«=»"}',
    ],
)
def test_file_of_the_spool_is_read_in_linear_time(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(filled(text))

    def load() -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            spool.load(path)

    assert_quick(load)


@pytest.mark.parametrize("name", ["body", "received_at", "uuid", "route", "proof"])
@pytest.mark.parametrize("text", ["«0»", "«=»", "«A»=", "0001«-»"])
def test_value_in_a_file_of_the_spool_is_read_in_linear_time(name: str, text: str, tmp_path: Path) -> None:
    path = spool.keep(arrival(), tmp_path)
    before = spool._dump(spool.load(path))
    held = json.loads(before)
    path.write_text(json.dumps({**held, name: filled(text)}))

    def load() -> None:
        try:
            spool.load(path)
        except ValueError:
            return

    assert_quick(load)


READERS: dict[str, Callable[[str], Any]] = {
    "cursor": cursors.read,
    "moment": moments.read_moment,
    "day": moments.read_day,
    "tail": tail_of,
    "guarded": guarded,
    "unguarded": unguarded,
    "word": exceptions.is_word,
    "refusal": lambda text: exceptions.refusal("/", f"error_{text}\n"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "text", ["«0»", "« »", "« 0800»", "«;»", "«;'»", "«a»", "«.»", "older.«0»", "2026-11-29T«0»", '«"»', "«a_»"]
)
def test_what_comes_in_a_url_is_read_in_linear_time(reader: str, text: str) -> None:
    assert_quick(lambda: READERS[reader](filled(text)))


@pytest.mark.parametrize("term", ["«1»", "«1»x", "« »", "«+»", "«a»"])
def test_search_term_is_read_in_linear_time(term: str) -> None:
    request = RequestFactory().get("/")

    assert_quick(lambda: searching.found_by(request, ["txn_ref", "tag", "other_number"], filled(term)))

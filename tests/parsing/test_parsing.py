from __future__ import annotations

import codecs
import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hoiio.enums import Direction, Kind, Rank, Route
from django_hoiio.parsing import parameters, parse
from django_hoiio.parsing.parameters import HOIIO_TIME, PARAMETERS
from tests.conftest import raw_notification


def parsed(query: str = "", body: bytes | str = b"", route: str = "any", content_type: str = "") -> Any:
    return parse(raw_notification(route, query, body, headers={"Content-Type": content_type}))


def content(**kwargs: Any) -> dict[str, str]:
    read = parsed(**kwargs)
    return {**read.params, **read.pass_on}


# Query and body.


def test_query_and_body_are_merged_and_the_body_wins() -> None:
    read = parsed(query="tag=query&from=%252B651&x=1", body="tag=body&from=%2B652&y=2")

    assert read.params == {"tag": "body", "from": "+652"}
    assert read.pass_on == {"x": "1", "y": "2"}


def test_of_equal_names_in_one_place_the_last_wins() -> None:
    assert content(body="tag=first&tag=last") == {"tag": "last"}


def test_names_of_hoiio_are_params_and_all_others_are_pass_on() -> None:
    read = parsed(query="&".join(f"{name}=1" for name in PARAMETERS) + "&username=bob&x_id=7")

    assert set(read.params) == set(PARAMETERS)
    assert read.pass_on == {"username": "bob", "x_id": "7"}


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/json", "multipart/form-data", "multipart/form-data; boundary=absent"],
)
def test_urlencoded_body_is_read_with_any_content_type(content_type: str) -> None:
    assert content(body="tag=a+b&dest=%2B6511", content_type=content_type) == {"tag": "a b", "dest": "+6511"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_json_with_a_byte_order_mark_is_read(encoding: str) -> None:
    body = json.dumps({"txn_ref": "AA-SI-1", "msg": "café"}, ensure_ascii=False).encode(encoding)

    assert parse(raw_notification("any", "", body)).params == {"txn_ref": "AA-SI-1", "msg": "café"}


def test_json_in_big_endian_with_a_byte_order_mark_is_read() -> None:
    for encoding, mark in (("utf-16-be", codecs.BOM_UTF16_BE), ("utf-32-be", codecs.BOM_UTF32_BE)):
        assert parse(raw_notification("any", "", mark + '{"txn_ref": "AA-S-1"}'.encode(encoding))).txn_ref == "AA-S-1"


def test_form_with_a_byte_order_mark_is_read() -> None:
    assert parse(raw_notification("any", "", codecs.BOM_UTF8 + b"txn_ref=AA-S-1")).txn_ref == "AA-S-1"


def test_form_that_only_begins_like_a_byte_order_mark_is_a_form() -> None:
    assert parse(raw_notification("any", "", b"\xff\xfe=1&txn_ref=AA-S-1")).txn_ref == "AA-S-1"


@pytest.mark.parametrize("content_type", ["", "application/json", "application/x-www-form-urlencoded"])
def test_json_body_is_read_with_any_content_type(content_type: str) -> None:
    body = '{"debit": 0.10, "split_count": 2, "tag": null, "msg": "caf\\u00e9", "x": {"a": [1, true]}, "big": 1e400, "nan": NaN, "constants": [Infinity, -Infinity]}'

    assert content(body="  " + body, content_type=content_type) == {
        "debit": "0.10",
        "split_count": "2",
        "tag": "",
        "msg": "café",
        "x": '{"a": ["1", true]}',
        "big": "1e400",
        "nan": "NaN",
        "constants": "[Infinity, -Infinity]",
    }


@pytest.mark.parametrize("body", ["{", "{]", '{"a": 1', '{"a":' + "[" * 100_000])
def test_text_that_only_begins_like_json_is_read_as_a_form(body: str) -> None:
    assert content(body=body + "&tag=x") == {body: "", "tag": "x"}


def test_multipart_body_is_read_byte_for_byte() -> None:
    body = (
        b'preamble\r\n--b\r\nContent-Disposition: form-data; name="msg"\r\n\r\n line\r\n\r\nline+%41 \xe9\r\n'
        b'--b\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; filename="name=f"; name=tag\r\n\r\n\r\n'
        b"--b\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--b--\r\n"
    )

    expected = {"msg": " line\r\n\r\nline+%41 é", "tag": ""}
    assert content(body=body, content_type='multipart/form-data; charset=x; boundary="b"') == expected
    assert content(body=body, content_type="Multipart/Form-Data; boundary=b") == expected


def test_five_thousand_parameters_are_all_read() -> None:
    query = {f"x{number}": str(number) for number in range(5000)}

    assert parsed(query=urlencode(query)).pass_on == query


def test_value_of_64_kilobytes_is_read_completely() -> None:
    assert parsed(body="msg=" + "é" * 65536).msg == "é" * 65536


def test_many_part_headers_do_not_take_long() -> None:
    body = b"--b\r\n" + b"Content-Disposition: ; " * 40_000

    assert content(body=body, content_type="multipart/form-data; boundary=b") == {}


# Bytes and text.


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf%C3%A9", "café"),
        (b"caf\xc3\xa9", "café"),
        (b"caf%E9", "café"),
        (b"caf\xe9", "café"),
        (b"%ED%A0%80", "\xed\xa0\x80"),
        (b"a%00b", "a\ufffdb"),
        (b"a\x00b", "a\ufffdb"),
        (b"100%", "100%"),
        (b"%zz%4", "%zz%4"),
        (b"%252B", "%2B"),
        (b"a+b%2Bc", "a b+c"),
        (b"%F0%9F%98%80", "😀"),
    ],
)
def test_bytes_are_percent_decoded_once_as_utf_8_or_else_latin_1(raw: bytes, text: str) -> None:
    assert parsed(body=b"msg=" + raw).params == {"msg": text}


def test_half_a_surrogate_pair_in_json_is_replaced() -> None:
    assert content(body='{"msg": "\\ud83d", "\\udc00": "\\u0000"}') == {"msg": "\ufffd", "\ufffd": "\ufffd"}


# Values.


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2012-10-30 12:20:50", datetime(2012, 10, 30, 4, 20, 50, tzinfo=timezone.utc)),
        ("2012-06-06 11:15:20.0", datetime(2012, 6, 6, 3, 15, 20, tzinfo=timezone.utc)),
        ("2012-06-06 11:15:20.", datetime(2012, 6, 6, 3, 15, 20, tzinfo=timezone.utc)),
        ("2012-06-06 11:15:20.123456789", datetime(2012, 6, 6, 3, 15, 20, 123456, tzinfo=timezone.utc)),
        (" 2012-06-06 11:15:20 ", datetime(2012, 6, 6, 3, 15, 20, tzinfo=timezone.utc)),
        ("2012-02-30 11:15:20", None),
        ("2012-06-06", None),
        ("06/06/2012 11:15:20", None),
        ("2012-06-06 24:60:20", None),
        ("0001-01-01 00:00:00", None),
        ("9999-12-31 23:59:59", None),
        ("soon", None),
    ],
)
def test_date_is_in_gmt_8_with_or_without_fraction(text: str, date: datetime | None) -> None:
    read = parsed(body=urlencode({"date": text, "txn_ref": "AA-C-1"}))

    assert read.date == date
    assert read.date is None or read.date.tzinfo is HOIIO_TIME
    assert ("date" in read.problems) == (date is None)


@pytest.mark.parametrize("name", ["rate", "debit"])
@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.032", Decimal("0.032")),
        ("0.000", Decimal("0.000")),
        (" 54.650 ", Decimal("54.650")),
        ("7", Decimal(7)),
        ("-1.5", Decimal("-1.5")),
        ("1e5", None),
        ("NaN", None),
        ("Infinity", None),
        ("1_000", None),
        ("0,032", None),
        ("0.1234567", None),
        ("12345678901", None),
        ("٣", None),
    ],
)
def test_money_is_decimal_and_never_guessed(name: str, text: str, amount: Decimal | None) -> None:
    read = parsed(body=urlencode({name: text, "txn_ref": "AA-C-1"}))

    assert getattr(read, name) == amount
    assert str(getattr(read, name)) == (text.strip() if amount is not None else "None")
    assert read.problems.get(name) == (None if amount is not None else "is not an amount")


def test_repeated_text_is_parsed_once_and_long_text_is_not_cached() -> None:
    read = []

    def read_text(text: str) -> str:
        read.append(text)
        return text.strip()

    remembering = parameters._remembering(read_text)
    long = "0.032".rjust(33)

    for text in ("0.032", "0.032", "0.0320", long, long):
        assert remembering(text) == text.strip()
    assert read == ["0.032", "0.0320", long, long]


@pytest.mark.parametrize("name", ["duration", "split_count", "fax_pages"])
@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("0", 0), ("7.0", 7), (" 7 ", 7), ("2.5", None), ("-1", None), ("x", None), ("9" * 12, None)],
)
def test_counts_and_minutes_are_whole_numbers(name: str, text: str, number: int | None) -> None:
    read = parsed(body=urlencode({name: text}))

    assert getattr(read, name) == number
    assert read.problems.get(name) == (None if number is not None else "is not a whole number")


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("%2B6511111111", "+6511111111"),
        ("%252B6511111111", "+6511111111"),
        ("%252b6511111111", "+6511111111"),
        ("+6511111111", "+6511111111"),
        ("6511111111", "6511111111"),
        ("private", "private"),
        ("HOIIO", "HOIIO"),
        ("room:R1234", "room:R1234"),
        ("+HOIIO", " HOIIO"),
    ],
)
@pytest.mark.parametrize(
    ("name", "field"),
    [("from", "from_number"), ("to", "to_number"), ("dest", "dest"), ("dest1", "dest1"), ("dest2", "dest2")],
)
def test_lost_plus_of_a_phone_number_is_restored_only_in_the_value(
    name: str, field: str, raw: str, number: str
) -> None:
    read = parsed(query=f"{name}={raw}")

    assert getattr(read, field) == number
    assert read.params[name] == {
        "%252B6511111111": "%2B6511111111",
        "%252b6511111111": "%2b6511111111",
        "+6511111111": " 6511111111",
    }.get(raw, number)


@pytest.mark.parametrize(
    ("name", "limit"), [("txn_ref", 64), ("session", 64), ("tag", 256), ("sms_status", 64), ("dest", 64)]
)
def test_value_too_long_for_its_column_is_omitted_and_reported(name: str, limit: int) -> None:
    fitting, too_long = parsed(body=f"{name}=" + "é" * limit), parsed(body=f"{name}=" + "é" * (limit + 1))

    assert getattr(fitting, name) == "é" * limit
    assert getattr(too_long, name) is None
    assert too_long.params == {name: "é" * (limit + 1)}
    assert too_long.problems[name] == f"is longer than {limit} characters"


def test_empty_equals_absent_in_fields_and_stays_in_params() -> None:
    read = parsed(body="tag=&date=&debit=&dest=&sms_status=&txn_ref=AA-S-1")

    assert (read.tag, read.date, read.debit, read.dest, read.sms_status, read.problems) == (
        None,
        None,
        None,
        None,
        None,
        {},
    )
    assert read.params["tag"] == ""


def test_unknown_status_is_stored_and_reported() -> None:
    read = parsed(body="txn_ref=AA-S-1&sms_status=martian")

    assert (read.kind, read.sms_status, read.rank) == (Kind.SMS_STATUS, "martian", Rank.ONGOING)
    assert read.problems == {"sms_status": "is not a value that Hoiio documents"}


@pytest.mark.parametrize(
    ("query", "problems"),
    [
        ("", {"parameters": "there are no parameters"}),
        ("username=bob", {"parameters": "none of the parameters is Hoiio's"}),
        ("txn_ref=AA-1", {"kind": "the kind of the notification cannot be recognised"}),
    ],
)
def test_notification_without_known_parameters_has_an_unknown_kind_and_a_reason(
    query: str, problems: dict[str, str]
) -> None:
    read = parsed(query=query)

    assert (read.kind, read.problems) == (Kind.UNKNOWN, problems)


# Kinds.


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("fax_status=answered&from=1&to=2", Kind.FAX_RECEIVED),
        ("fax_url=x&to=2", Kind.FAX_RECEIVED),
        ("fax_error_code=busy&dest=1", Kind.FAX_STATUS),
        ("fax_status=answered&sms_status=queued", Kind.FAX_STATUS),
        ("sms_status=queued&dest=1", Kind.SMS_STATUS),
        ("sms_status=&dest=1", Kind.SMS_STATUS),
        ("sms_status=queued&msg=x&from=1", Kind.SMS_STATUS),
        ("msg=hello&from=1", Kind.SMS_RECEIVED),
        ("msg=&from=1", Kind.SMS_RECEIVED),
        ("msg=x&call_state=ongoing", Kind.IVR_STEP),
        ("call_status_dest1=answered", Kind.CALL_ENDED),
        ("call_status_dest2=failed&session=S1", Kind.CALL_ENDED),
        ("call_status=busy", Kind.CALL_ENDED),
        ("ivr_block=answer&digits=1", Kind.IVR_ANSWER),
        ("ivr_block=dial", Kind.IVR_DIAL),
        ("ivr_block=play", Kind.IVR_PLAY),
        ("ivr_block=gather", Kind.IVR_GATHER),
        ("ivr_block=record", Kind.IVR_RECORD),
        ("ivr_block=monitor", Kind.IVR_MONITOR),
        ("ivr_block=transfer", Kind.IVR_TRANSFER),
        ("ivr_block=hangup&call_state=ended", Kind.IVR_HANGUP),
        ("ivr_block=unhold", Kind.IVR_UNHOLD),
        ("ivr_block=dance&digits=1", Kind.IVR_GATHER),
        ("ivr_block=dance", Kind.IVR_STEP),
        ("ivr_block=", Kind.IVR_STEP),
        ("monitor_url=x&record_url=y", Kind.IVR_MONITOR),
        ("record_url=x&call_state=ended", Kind.IVR_RECORD),
        ("transfer_status=answered&dial_status=answered", Kind.IVR_TRANSFER),
        ("dial_status=answered&digits=1", Kind.IVR_DIAL),
        ("digits=", Kind.IVR_GATHER),
        ("digits=1&call_state=ringing", Kind.IVR_GATHER),
        ("call_state=ringing&session=S1", Kind.IVR_ANSWER),
        ("call_state=ended&session=S1", Kind.IVR_ENDED),
        ("call_state=ongoing", Kind.IVR_STEP),
        ("call_state=", Kind.IVR_STEP),
        ("session=S1&status=success_ok&txn_ref=1", Kind.IVR_STEP),
        ("status=success_ok&txn_ref=1", Kind.BULK_SMS_STATUS),
        ("status=martian&dest=1", Kind.BULK_SMS_STATUS),
        ("bulk_txn_ref=AA-B-1", Kind.BULK_SMS_STATUS),
        ("status=error_dest_not_supported", Kind.BULK_SMS_STATUS),
        ("status=martian", Kind.UNKNOWN),
        ("txn_ref=AA-1&tag=x", Kind.UNKNOWN),
    ],
)
def test_content_decides_the_kind(query: str, kind: Kind) -> None:
    assert {route: parsed(query=query).kind for route in Route} == dict.fromkeys(Route, kind)


@pytest.mark.parametrize(
    ("route", "coming_in", "otherwise"),
    [
        ("voice", Kind.CALL_ENDED, Kind.CALL_ENDED),
        ("sms", Kind.SMS_RECEIVED, Kind.SMS_STATUS),
        ("fax", Kind.FAX_RECEIVED, Kind.FAX_STATUS),
        ("ivr", Kind.IVR_STEP, Kind.IVR_STEP),
        ("any", Kind.UNKNOWN, Kind.UNKNOWN),
    ],
)
def test_route_decides_the_kind_if_the_content_is_ambiguous(route: str, coming_in: Kind, otherwise: Kind) -> None:
    assert parsed(query="from=1&txn_ref=AA-1", route=route).kind == coming_in
    assert parsed(query="tag=x&txn_ref=AA-1", route=route).kind == otherwise
    assert parsed(query="username=bob", route=route).kind == Kind.UNKNOWN
    assert parsed(query="sms_status=queued", route=route).kind == Kind.SMS_STATUS


# The kinds of blocks whose result has no parameter, and others.
BLOCKS = [Kind.IVR_PLAY, Kind.IVR_HANGUP, Kind.IVR_UNHOLD, Kind.IVR_DIAL, Kind.IVR_GATHER, Kind.IVR_RECORD]


@pytest.mark.parametrize("block", [*BLOCKS, Kind.IVR_MONITOR, Kind.IVR_TRANSFER])
@pytest.mark.parametrize(
    ("query", "rank"),
    [
        ("session=S1&call_state=ongoing", Rank.ONGOING),
        ("session=S1&call_state=ended&duration=1", Rank.FINAL),
        ("txn_ref=AA-C-1&tag=", Rank.ONGOING),
        ("session=S1&ivr_block=", Rank.ONGOING),
        ("session=S1&ivr_block=dance", Rank.ONGOING),
    ],
)
def test_notify_url_names_the_block_if_the_parameters_do_not(query: str, rank: Rank, block: Kind) -> None:
    read = parse(raw_notification("ivr", query, block={"kind": block.value, "step": 2}))

    assert (read.kind, read.rank) == (block, rank)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("ivr_block=gather", Kind.IVR_GATHER),
        ("ivr_block=answer&call_state=ringing", Kind.IVR_ANSWER),
        ("ivr_block=record&call_state=ended", Kind.IVR_RECORD),
        ("digits=", Kind.IVR_GATHER),
        ("record_url=x&call_state=ended", Kind.IVR_RECORD),
        ("monitor_url=x", Kind.IVR_MONITOR),
        ("transfer_status=busy", Kind.IVR_TRANSFER),
        ("dial_status=busy", Kind.IVR_DIAL),
        ("call_state=ringing&session=S1", Kind.IVR_ANSWER),
        ("sms_status=queued", Kind.SMS_STATUS),
        ("call_status=busy", Kind.CALL_ENDED),
        ("status=success_ok&txn_ref=1", Kind.BULK_SMS_STATUS),
        ("username=bob", Kind.UNKNOWN),
    ],
)
def test_parameters_count_more_than_the_block_of_the_notify_url(query: str, kind: Kind) -> None:
    assert parse(raw_notification("ivr", query, block={"kind": "ivr_play"})).kind == kind


@pytest.mark.parametrize(
    "block", [{}, {"step": 2}, {"kind": "sms_status"}, {"kind": "ivr_dance"}, {"kind": None}, {"kind": ["ivr_play"]}]
)
def test_notify_url_without_a_known_block_changes_no_kind(block: dict[str, Any]) -> None:
    kinds = [parse(raw_notification("ivr", query, block=block)).kind for query in ("session=S1", "call_state=ended")]

    assert kinds == [Kind.IVR_STEP, Kind.IVR_ENDED]


@pytest.mark.parametrize(
    ("query", "rank"),
    [
        ("sms_status=queued", Rank.ONGOING),
        ("sms_status=delivered", Rank.FINAL),
        ("sms_status=failed", Rank.FINAL),
        ("sms_status=error", Rank.FINAL),
        ("sms_status=", Rank.ONGOING),
        ("msg=x", Rank.FINAL),
        ("status=success_ok&dest=1", Rank.BEGUN),
        ("status=error_x&dest=1", Rank.FINAL),
        ("call_status_dest1=answered&call_status_dest2=failed", Rank.FINAL),
        ("call_status_dest1=answered&call_status_dest2=ongoing", Rank.ONGOING),
        ("call_status_dest1=answered&call_status_dest2=martian", Rank.ONGOING),
        ("call_status=busy", Rank.FINAL),
        ("fax_status=ongoing", Rank.ONGOING),
        ("fax_status=unanswered", Rank.FINAL),
        ("fax_url=x&from=1", Rank.FINAL),
        ("call_state=ringing", Rank.BEGUN),
        ("ivr_block=answer", Rank.BEGUN),
        ("call_state=ongoing&dial_status=answered", Rank.ONGOING),
        ("call_state=martian", Rank.ONGOING),
        ("session=S1", Rank.ONGOING),
        ("call_state=ended&digits=1", Rank.FINAL),
    ],
)
def test_rank_is_the_progress_of_the_transaction(query: str, rank: Rank) -> None:
    assert parsed(query=query).rank == rank


@pytest.mark.parametrize(
    ("query", "direction", "remote_number"),
    [
        ("from=%2B651&to=%2B652", Direction.INCOMING, "+651"),
        ("from=%2B651&dest=%2B653", Direction.INCOMING, "+651"),
        ("from=&to=%2B652", Direction.INCOMING, ""),
        ("dest=%2B653", Direction.OUTGOING, "+653"),
        ("dest1=%2B651&dest2=%2B652", Direction.OUTGOING, "+652"),
        ("dest1=%2B651", Direction.OUTGOING, "+651"),
        ("txn_ref=AA-1", None, ""),
    ],
)
def test_remote_party_is_the_caller_or_the_recipient(
    query: str, direction: Direction | None, remote_number: str
) -> None:
    read = parsed(query=query)

    assert (read.direction, read.remote_party[0]) == (direction, remote_number)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("dest=%2B651&call_status=busy", ("+651", "busy", None, None)),
        ("dest1=%2B651&call_status_dest1=busy", ("+651", "busy", None, None)),
        # As in history.
        ("dest1=%2B651&call_status_dest1=busy&dest2=&call_status_dest2=", ("+651", "busy", None, None)),
        ("dest1=%2B651&call_status_dest1=busy&dest2=%2B652", (None, None, "+651", "busy")),
        ("dest1=%2B651&call_status_dest1=busy&call_status_dest2=failed", (None, None, "+651", "busy")),
        # An interactive call.
        ("dest1=%2B651&session=S1&call_state=ended", (None, None, "+651", None)),
    ],
)
def test_leg_of_a_conference_is_read_alike_by_either_names(query: str, fields: tuple[str | None, ...]) -> None:
    read = parsed(query=query)

    assert (read.dest, read.call_status, read.dest1, read.call_status_dest1) == fields


# Arbitrary input.

NAMES = st.sampled_from([*PARAMETERS, "x", ""])


@given(query=st.binary(max_size=300), body=st.binary(max_size=300), route=st.sampled_from(Route))
def test_no_bytes_make_parsing_fail(query: bytes, body: bytes, route: Route) -> None:
    parse(raw_notification(route, query.decode("ascii", "ignore"), body))
    parse(raw_notification(route, "", b"{" + body))
    parse(raw_notification(route, "", b"--b\r\n" + body, headers={"Content-Type": "multipart/form-data; boundary=b"}))


@given(fields=st.dictionaries(NAMES, st.text(max_size=80)), route=st.sampled_from(Route))
def test_no_text_makes_parsing_fail_or_loses_parameters(fields: dict[str, str], route: Route) -> None:
    fields = {name: text.encode("utf-8", "ignore").decode() for name, text in fields.items()}
    read = parse(raw_notification(route, "", urlencode(fields)))

    assert {**read.params, **read.pass_on} == {name: text.replace("\0", "\ufffd") for name, text in fields.items()}


@given(
    fields=st.dictionaries(
        st.text(max_size=20), st.text(max_size=80) | st.integers() | st.none() | st.lists(st.integers())
    )
)
def test_no_json_makes_parsing_fail(fields: dict[str, Any]) -> None:
    parse(raw_notification("any", "", json.dumps(fields)))

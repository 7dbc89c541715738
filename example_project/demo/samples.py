"""What the demo sends, as Hoiio sent or documented it in 2012, and the rows that must come of it.

Hoiio puts its parameters into the body, into the query string or into both, and so does this table. What the project
put into its notify URL, here the names beginning with `x_` and `app_state`, comes back in the query string.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from django_hoiio.kinds import Direction, Kind, Route
from django_hoiio.models import Call, Fax, Sms, Transaction


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One notification as it goes over the wire, and what it reports."""

    name: str
    route: Route
    query: str = ""
    body: str = ""
    # The kind, and `ivr_ended` where a block and the call ended together: the signals to be heard.
    facts: tuple[Kind, ...]


_BULK_DELIVERY = (
    "sms_status=delivered&txn_ref=AA-S-471806&tag=myapp&date=2014-01-23+14%3A44%3A31&dest=%2B6511111111"
    "&split_count=1&currency=SGD&rate=0.032&debit=0.032"
)

SAMPLES = (
    Sample(
        name="an SMS is queued",
        route=Route.SMS,
        query="x_order=17",
        body=(
            "rate=0.032&dest=%2B6500000000&tag=&sms_status=queued&debit=0.032&date=2012-06-06+11%3A15%3A20.0"
            "&split_count=1&txn_ref=AA-S-471804&currency=SGD"
        ),
        facts=(Kind.SMS_STATUS,),
    ),
    Sample(
        name="the SMS is delivered",
        route=Route.SMS,
        query="x_order=17",
        body=(
            "rate=0.032&dest=%2B6500000000&tag=&sms_status=delivered&debit=0.032&date=2012-06-06+11%3A15%3A20.0"
            "&split_count=1&txn_ref=AA-S-471804&currency=SGD"
        ),
        facts=(Kind.SMS_STATUS,),
    ),
    Sample(
        name="an SMS comes in",
        route=Route.SMS,
        query=(
            "to=%2B16501234567&debit=0.013&from=%2B16201234567&date=2012-10-30+12%3A20%3A50&msg=hoiio+world"
            "&txn_ref=AA-SI-85&currency=SGD"
        ),
        facts=(Kind.SMS_RECEIVED,),
    ),
    Sample(
        name="a message of a bulk SMS is accepted",
        route=Route.SMS,
        query="x_job=7",
        body="status=success_ok&txn_ref=AA-S-471806&dest=%2B6511111111&bulk_txn_ref=AA-B-147",
        facts=(Kind.BULK_SMS_STATUS,),
    ),
    Sample(
        name="the message of a bulk SMS is delivered",
        route=Route.SMS,
        query=f"{_BULK_DELIVERY}&x_job=7",
        body=_BULK_DELIVERY,
        facts=(Kind.SMS_STATUS,),
    ),
    Sample(
        name="a message of a bulk SMS is refused",
        route=Route.SMS,
        query="x_job=7",
        body="status=error_dest_not_supported",
        facts=(Kind.BULK_SMS_STATUS,),
    ),
    Sample(
        name="a call fails in its second leg",
        route=Route.VOICE,
        body=(
            "duration=0&rate=0.036&dest2=%2B6500000000&call_status_dest1=answered&call_status_dest2=failed&tag="
            "&debit=0.000&date=2012-06-06+11%3A10%3A36.0&dest1=%2B6500000000&txn_ref=AA-C-2517398&currency=SGD"
        ),
        facts=(Kind.CALL_ENDED,),
    ),
    Sample(
        name="a call is over",
        route=Route.ANY,
        body=(
            "txn_ref=AA-C-2517399&call_status_dest1=answered&call_status_dest2=answered"
            "&date=2012-06-06+11%3A10%3A36&dest1=%2B6511111111&dest2=%2B6522222222&duration=2&currency=SGD"
            "&rate=0.018&debit=0.036"
        ),
        facts=(Kind.CALL_ENDED,),
    ),
    Sample(
        name="a fax comes in",
        route=Route.FAX,
        body=(
            "txn_ref=AA-C-3060997&fax_status=answered&from=%2B6511111111&to=%2B6500000000"
            "&fax_url=https%3A%2F%2Fhoiio.s3.amazonaws.com%2Finfax%2Ffax-1.pdf%3FExpires%3D1640069813"
            "%26AWSAccessKeyId%3DXXXX%26Signature%3DXXXX%3D&date=2012-10-30+12%3A20%3A50&duration=1&currency=SGD"
            "&debit=0.013"
        ),
        facts=(Kind.FAX_RECEIVED,),
    ),
    Sample(
        name="a fax fails to come in",
        route=Route.FAX,
        query=(
            "txn_ref=AA-C-3060998&fax_status=failed&from=%2B6511111111&to=%2B6500000000"
            "&date=2012-10-30+12%3A20%3A50&duration=0&currency=SGD&debit=0.000&fax_error_code=busy"
        ),
        facts=(Kind.FAX_RECEIVED,),
    ),
    Sample(
        name="a fax is sent",
        route=Route.FAX,
        query="x_document=5",
        body=(
            "txn_ref=AA-C-3060999&tag=&dest=%2B6511111111&fax_status=answered&fax_pages=3"
            "&date=2012-09-01+10%3A00%3A00.0&duration=2&currency=SGD&rate=0.032&debit=0.064"
        ),
        facts=(Kind.FAX_STATUS,),
    ),
    Sample(
        name="a caller rings",
        route=Route.IVR,
        body="call_state=ringing&session=S3839&txn_ref=AA-C-2507650&from=%2B6511111111&to=%2B6500000000",
        facts=(Kind.IVR_ANSWER,),
    ),
    Sample(
        name="the caller presses a key",
        route=Route.IVR,
        query="app_state=gather",
        body=(
            "app_state=gather&call_state=ongoing&session=S3839&txn_ref=AA-C-2507650&from=%2B6511111111"
            "&to=%2B6500000000&digits=1"
        ),
        facts=(Kind.IVR_GATHER,),
    ),
    Sample(
        name="the caller leaves a message",
        route=Route.IVR,
        query="app_state=record",
        body=(
            "dest=%2B6500000000&session=S3839&tag=&call_state=ongoing"
            "&record_url=http%3A%2F%2Fwww.example.com%2Frecordings%2Frec-113.mp3%3FExpires%3D1654333131"
            "%26AWSAccessKeyId%3DXXXX%26Signature%3DXXXX%253D&txn_ref=AA-C-2507650"
        ),
        facts=(Kind.IVR_RECORD,),
    ),
    Sample(
        name="the caller hangs up",
        route=Route.IVR,
        query="app_state=hangup",
        # Without the txn_ref: its session tells which call is over.
        body=(
            "call_state=ended&session=S3839&from=%2B6511111111&to=%2B6500000000&duration=2"
            "&date=2013-09-27+17%3A30%3A57&debit=0.036&currency=SGD"
        ),
        facts=(Kind.IVR_ENDED,),
    ),
    Sample(
        name="nobody picks up",
        route=Route.IVR,
        body=(
            "call_state=ended&session=S3840&txn_ref=AA-C-2507651&dial_status=unanswered&dest=%2B6511111111"
            "&date=2012-06-06+11%3A10%3A36&currency=SGD&rate=0.018&duration=0&debit=0.000"
        ),
        facts=(Kind.IVR_DIAL, Kind.IVR_ENDED),
    ),
)


SINGAPORE = timezone(timedelta(hours=8))

# Each row whole: a field that is not named is empty.
TRANSACTIONS: tuple[Transaction, ...] = (
    Call(
        txn_ref="AA-C-2507650",
        session="S3839",
        direction=Direction.INCOMING,
        other_number="+6511111111",
        other_tail="11111111",
        from_number="+6511111111",
        to_number="+6500000000",
        dest="+6500000000",
        call_state="ended",
        is_final=True,
        date=datetime(2013, 9, 27, 17, 30, 57, tzinfo=SINGAPORE),
        duration=2,
        currency="SGD",
        debit=Decimal("0.036"),
    ),
    Call(
        txn_ref="AA-C-2507651",
        session="S3840",
        direction=Direction.OUTGOING,
        other_number="+6511111111",
        other_tail="11111111",
        dest="+6511111111",
        call_state="ended",
        dial_status="unanswered",
        is_final=True,
        date=datetime(2012, 6, 6, 11, 10, 36, tzinfo=SINGAPORE),
        duration=0,
        currency="SGD",
        rate=Decimal("0.018"),
        debit=Decimal(0),
    ),
    Call(
        txn_ref="AA-C-2517398",
        direction=Direction.OUTGOING,
        other_number="+6500000000",
        other_tail="00000000",
        dest1="+6500000000",
        dest2="+6500000000",
        call_status_dest1="answered",
        call_status_dest2="failed",
        is_final=True,
        date=datetime(2012, 6, 6, 11, 10, 36, tzinfo=SINGAPORE),
        duration=0,
        currency="SGD",
        rate=Decimal("0.036"),
        debit=Decimal(0),
    ),
    Call(
        txn_ref="AA-C-2517399",
        direction=Direction.OUTGOING,
        other_number="+6522222222",
        other_tail="22222222",
        dest1="+6511111111",
        dest2="+6522222222",
        call_status_dest1="answered",
        call_status_dest2="answered",
        is_final=True,
        date=datetime(2012, 6, 6, 11, 10, 36, tzinfo=SINGAPORE),
        duration=2,
        currency="SGD",
        rate=Decimal("0.018"),
        debit=Decimal("0.036"),
    ),
    Fax(
        txn_ref="AA-C-3060997",
        direction=Direction.INCOMING,
        other_number="+6511111111",
        other_tail="11111111",
        from_number="+6511111111",
        to_number="+6500000000",
        fax_status="answered",
        fax_url=(
            "https://hoiio.s3.amazonaws.com/infax/fax-1.pdf?Expires=1640069813&AWSAccessKeyId=XXXX&Signature=XXXX="
        ),
        is_final=True,
        date=datetime(2012, 10, 30, 12, 20, 50, tzinfo=SINGAPORE),
        duration=1,
        currency="SGD",
        debit=Decimal("0.013"),
    ),
    Fax(
        txn_ref="AA-C-3060998",
        direction=Direction.INCOMING,
        other_number="+6511111111",
        other_tail="11111111",
        from_number="+6511111111",
        to_number="+6500000000",
        fax_status="failed",
        fax_error_code="busy",
        is_final=True,
        date=datetime(2012, 10, 30, 12, 20, 50, tzinfo=SINGAPORE),
        duration=0,
        currency="SGD",
        debit=Decimal(0),
    ),
    Fax(
        txn_ref="AA-C-3060999",
        direction=Direction.OUTGOING,
        other_number="+6511111111",
        other_tail="11111111",
        dest="+6511111111",
        fax_status="answered",
        fax_pages=3,
        is_final=True,
        date=datetime(2012, 9, 1, 10, 0, 0, tzinfo=SINGAPORE),
        duration=2,
        currency="SGD",
        rate=Decimal("0.032"),
        debit=Decimal("0.064"),
    ),
    Sms(
        txn_ref="AA-S-471804",
        direction=Direction.OUTGOING,
        other_number="+6500000000",
        other_tail="00000000",
        dest="+6500000000",
        sms_status="delivered",
        is_final=True,
        date=datetime(2012, 6, 6, 11, 15, 20, tzinfo=SINGAPORE),
        split_count=1,
        currency="SGD",
        rate=Decimal("0.032"),
        debit=Decimal("0.032"),
    ),
    Sms(
        txn_ref="AA-S-471806",
        bulk_txn_ref="AA-B-147",
        tag="myapp",
        direction=Direction.OUTGOING,
        other_number="+6511111111",
        other_tail="11111111",
        dest="+6511111111",
        status="success_ok",
        sms_status="delivered",
        is_final=True,
        date=datetime(2014, 1, 23, 14, 44, 31, tzinfo=SINGAPORE),
        split_count=1,
        currency="SGD",
        rate=Decimal("0.032"),
        debit=Decimal("0.032"),
    ),
    Sms(
        txn_ref="AA-SI-85",
        direction=Direction.INCOMING,
        other_number="+16201234567",
        other_tail="01234567",
        from_number="+16201234567",
        to_number="+16501234567",
        msg="hoiio world",
        is_final=True,
        date=datetime(2012, 10, 30, 12, 20, 50, tzinfo=SINGAPORE),
        currency="SGD",
        debit=Decimal("0.013"),
    ),
)

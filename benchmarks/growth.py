"""Filling the tables: what came through the doors once is multiplied by SQL.

The moments spread over a year, each transaction has its own reference, number and tag, each arrival a random UUID.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection
from django.db.models import BinaryField, Field, JSONField, Model
from tqdm import tqdm

from .candidates import RAW, UNHEARD
from .posting import environ, post
from .traffic import SCATTER, bodies

MODELS = ("django_hoiio.Notification", "django_hoiio.Sms", "benchmarks.PlainNotification", "benchmarks.PlainSms")
REPORTS_PER_SMS = 2
YEAR = 365 * 24 * 60 * 60
CHUNK = 25_000

_TEMPLATE = "AA-S-template"


class _Words(NamedTuple):
    """How a database says what the others say differently."""

    series: str
    moment: str
    uuid: str
    concat: str
    text_of_json: str
    json_of_text: str
    text_of_bytes: str
    bytes_of_text: str
    settle: tuple[str, ...]


_WORDS = {
    "sqlite": _Words(
        series="(WITH RECURSIVE s(k) AS (SELECT {0} UNION ALL SELECT k + 1 FROM s WHERE k < {1}) SELECT k FROM s)",
        moment="strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ({}) || ' seconds') || '000'",
        uuid="lower(hex(randomblob(16)))",
        concat="{} || {}",
        text_of_json="{}",
        json_of_text="{}",
        text_of_bytes="CAST({} AS TEXT)",
        bytes_of_text="CAST({} AS BLOB)",
        settle=("PRAGMA wal_checkpoint(TRUNCATE)", "ANALYZE {}"),
    ),
    "postgresql": _Words(
        series="(SELECT generate_series({}::bigint, {}) AS k)",
        moment="now() - make_interval(secs => {})",
        uuid="gen_random_uuid()",
        concat="{} || {}",
        text_of_json="{}::text",
        json_of_text="({})::jsonb",
        text_of_bytes="convert_from({}, 'UTF8')",
        bytes_of_text="convert_to({}, 'UTF8')",
        settle=("VACUUM ANALYZE {}", "CHECKPOINT"),
    ),
    "mysql": _Words(
        series="(SELECT seq AS k FROM seq_{}_to_{})",
        moment="UTC_TIMESTAMP(6) - INTERVAL {} SECOND",
        # Of version 4: MariaDB looks.
        uuid="INSERT(INSERT(MD5(CONCAT(RAND(), k, template.id)), 13, 1, '4'), 17, 1, '8')",
        concat="CONCAT({}, {})",
        text_of_json="{}",
        json_of_text="{}",
        text_of_bytes="{}",
        bytes_of_text="{}",
        settle=("ANALYZE TABLE {}",),
    ),
}

_MOMENTS = {"received_at", "dispatched_at", "created_at", "updated_at"}
_RENAMED = {"txn_ref", "tag", "dest", "other_number", "other_tail", "params", "body"}


def fill(rows: int) -> None:
    """Bring django_hoiio's tables and those of raw to so many notifications, and half as many SMS."""
    if not _models()[0]._default_manager.filter(txn_ref=f"{_TEMPLATE}-0").exists():
        _post_template()
    for model in _models():
        per_sms = model._default_manager.filter(txn_ref=f"{_TEMPLATE}-0").count()
        there = model._default_manager.filter(txn_ref__startswith="AA-S-filled-").count() // per_sms
        _multiply(model, there + 1, rows // REPORTS_PER_SMS)
    with connection.cursor() as cursor:
        for model in _models():
            for statement in _WORDS[connection.vendor].settle:
                cursor.execute(statement.format(model._meta.db_table))


def _models() -> list[type[Model]]:
    return [apps.get_model(label) for label in MODELS]


def _post_template() -> None:
    """Have one SMS reported at each door."""
    for candidate in (RAW, UNHEARD):
        for body in islice(bodies(_TEMPLATE), REPORTS_PER_SMS):
            post(environ(candidate.path(), body))


def _multiply(model: type[Model], first: int, last: int) -> None:
    with (
        tqdm(
            total=max(0, last - first + 1), desc=f"Filling {model._meta.db_table}", leave=False, disable=None
        ) as progress,
        connection.cursor() as cursor,
    ):
        for start in range(first, last + 1, CHUNK):
            end = min(start + CHUNK - 1, last)
            cursor.execute(_copies(model, start, end, last))
            progress.update(end - start + 1)


def _copies(model: type[Model], start: int, end: int, last: int) -> str:
    """The statement that makes a chunk of copies."""
    words = _WORDS[connection.vendor]
    copied = dict(_expressions(model, words.moment.format(f"{YEAR} * 1.0 * ({last} - k) / {last}")))
    table = model._meta.db_table
    return (
        f"INSERT INTO {table} ({', '.join(copied)}) SELECT {', '.join(copied.values())}"
        f" FROM {words.series.format(start, end)} AS series"
        f" CROSS JOIN (SELECT * FROM {table} WHERE txn_ref = '{_TEMPLATE}-0') AS template ORDER BY k, template.id"
    )


def _expressions(model: type[Model], moment: str) -> Iterator[tuple[str, str]]:
    """Each column but the primary key, and what a copy has there."""
    words = _WORDS[connection.vendor]
    for field in model._meta.concrete_fields:
        if field.primary_key:
            continue
        column = f"template.{field.column}"
        if field.name in _MOMENTS:
            column = moment
        elif field.name in _RENAMED:
            column = _renamed(field, column, words)
        elif field.name == "arrival" and not field.null:
            column = words.uuid
        yield str(field.column), column


def _renamed(field: Field[Any, Any], column: str, words: _Words) -> str:
    """The same text, with the reference, the number and the tag of the copy."""
    read, write = "{}", "{}"
    if isinstance(field, JSONField):
        read, write = words.text_of_json, words.json_of_text
    elif isinstance(field, BinaryField):
        read, write = words.text_of_bytes, words.bytes_of_text
    text = read.format(column)
    phone = f"CAST({10**8} + k * {SCATTER} % {10**8} AS char(9))"
    for old, new in (
        (f"{_TEMPLATE}-0", words.concat.format("'AA-S-filled-'", "k")),
        ("order-0", words.concat.format("'order-'", "k")),
        ("00000000", f"substr({phone}, 2)"),
    ):
        text = f"replace({text}, '{old}', {new})"
    return write.format(text)

"""Fill the tables: post a few notifications, and multiply their rows with SQL.

`fill` adds reports of SMS alone; `mix` adds a year of traffic of every kind, with some failed receivers and pending
notifications. The moments spread over a year, each transaction has its own reference, number and tag, each notification
a random UUID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, transaction
from django.db.models import BinaryField, F, Field, JSONField, Model
from django.utils import timezone
from tqdm import tqdm

from .traffic import ALL, DELIVERED, MARK, MIX, NUMBER, SCATTER, TAG, Story, environ, post

# Transactions first, because notifications have links to them.
OURS = ("django_hoiio.Call", "django_hoiio.Sms", "django_hoiio.Fax", "django_hoiio.Notification")
PLAIN = ("benchmarks.PlainNotification", "benchmarks.PlainSms")
YEAR = 365 * 24 * 60 * 60
CHUNK = 25_000

# One notification in this many has a failed receiver, and one in this many is pending.
FAILED = 500
PENDING = 10_000
# One in this many failed receivers is not resolved.
UNRESOLVED = 10

# Mixes the stories; it shares no divisor with ALL.
_MIXING = 4_567


class _Words(NamedTuple):
    """The SQL expressions that differ between databases."""

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
        # Of version 4, because MariaDB checks it.
        uuid="INSERT(INSERT(MD5(CONCAT(RAND(), k, template.id)), 13, 1, '4'), 17, 1, '8')",
        concat="CONCAT({}, {})",
        text_of_json="{}",
        json_of_text="{}",
        text_of_bytes="{}",
        bytes_of_text="{}",
        settle=("ANALYZE TABLE {}",),
    ),
}

_MOMENTS = {"received_at", "dispatched_at", "created_at", "updated_at", "date"}
_RENAMED = {
    "txn_ref",
    "session",
    "tag",
    "dest",
    "dest2",
    "from_number",
    "remote_number",
    "remote_suffix",
    "bulk_txn_ref",
}
_RENAMED_INSIDE = {"params", "body"}


def fill(rows: int) -> None:
    """Fill the tables of django_hoiio and of the raw view up to this many notifications, of half as many SMS."""
    _grow(rows, (DELIVERED,), (*OURS, *PLAIN), paths=("/raw/",))


def mix(rows: int) -> None:
    """Fill all tables, and that of the plain notifications, up to this many notifications of every kind."""
    notifications = apps.get_model("django_hoiio", "Notification")._default_manager
    before = notifications.order_by("-pk").values_list("pk", flat=True).first() or 0
    _grow(rows, MIX)
    new = notifications.filter(pk__gt=before)
    _fail(list(new.annotate(place=F("pk") % FAILED).filter(place=0).values_list("pk", flat=True)))
    new.annotate(place=F("pk") % PENDING).filter(place=PENDING // 2).update(
        dispatched_at=None, claimed_until=F("received_at")
    )
    _copy_to_plain()
    _settle([apps.get_model(label) for label in ("django_hoiio.ReceiverFailure", PLAIN[0])])


def _grow(rows: int, stories: Sequence[Story], labels: Sequence[str] = OURS, paths: Sequence[str] = ()) -> None:
    """Fill the tables up to this many notifications of the stories, each with the rows of its transaction.

    The templates are posted to the paths of their stories and to the additional `paths`.
    """
    models = [apps.get_model(label) for label in labels]
    notification = apps.get_model("django_hoiio", "Notification")
    if not notification._default_manager.filter(txn_ref=stories[0].txn_ref).exists():
        _post_templates(stories, paths)
    first, last = _filled(notification) + 1, _transactions(rows, stories)
    # Statistics of almost empty tables would mislead the planner when these are filled later.
    if first <= last:
        _multiply(models, stories, first, last)
        _settle(models)


def _settle(models: Sequence[type[Model]]) -> None:
    """Update the statistics of the database."""
    with connection.cursor() as cursor:
        for model in models:
            for statement in _WORDS[connection.vendor].settle:
                cursor.execute(statement.format(model._meta.db_table))


def _post_templates(stories: Sequence[Story], paths: Sequence[str]) -> None:
    for story in stories:
        for path in (*paths, story.path):
            for report in story.reports:
                post(environ(path, report))


def _filled(model: type[Model]) -> int:
    """Return the number of the last copy; 0 if there is none."""
    copies = (
        model._default_manager.filter(txn_ref__contains="-filled-").order_by("-pk").values_list("txn_ref", flat=True)
    )
    return int((copies.first() or "0").rpartition("-")[2])


def _transactions(rows: int, stories: Sequence[Story]) -> int:
    """Return how many transactions have this many reports."""
    return rows * ALL // sum(story.share * len(story.reports) for story in stories)


def _multiply(models: Sequence[type[Model]], stories: Sequence[Story], first: int, last: int) -> None:
    with (
        tqdm(total=max(0, last - first + 1), desc="Filling", leave=False, disable=None) as progress,
        connection.cursor() as cursor,
    ):
        for start in range(first, last + 1, CHUNK):
            end = min(start + CHUNK - 1, last)
            with transaction.atomic():
                for model in models:
                    cursor.execute(_copies(model, stories, start, end, last))
            progress.update(end - start + 1)


def _copies(model: type[Model], stories: Sequence[Story], start: int, end: int, last: int) -> str:
    """Return the statement that makes a chunk of copies."""
    words = _WORDS[connection.vendor]
    copied = dict(_expressions(model, words.moment.format(f"{YEAR} * 1.0 * ({last} - k) / {last}")))
    table = model._meta.db_table
    return (
        f"INSERT INTO {table} ({', '.join(copied)}) SELECT {', '.join(copied.values())}"
        f" FROM {words.series.format(start, end)} AS series CROSS JOIN ({_templates(table, stories)}) AS template"
        f" WHERE k * {_MIXING} % {ALL} BETWEEN first_place AND last_place ORDER BY k, template.id"
    )


def _templates(table: str, stories: Sequence[Story]) -> str:
    """Return a query for the template rows, each with the places, of ALL, of its story."""
    first = last = ""
    place = 0
    for story in stories:
        first += f" WHEN '{story.txn_ref}' THEN {place}"
        place += story.share
        last += f" WHEN '{story.txn_ref}' THEN {place - 1}"
    names = ", ".join(f"'{story.txn_ref}'" for story in stories)
    cases = f"CASE txn_ref{first} END AS first_place, CASE txn_ref{last} END AS last_place"
    return f"SELECT {table}.*, {cases} FROM {table} WHERE txn_ref IN ({names})"


def _expressions(model: type[Model], moment: str) -> Iterator[tuple[str, str]]:
    """Yield each column except the primary key, with its expression in a copy."""
    words = _WORDS[connection.vendor]
    for field in model._meta.concrete_fields:
        if field.primary_key or field.generated:
            continue
        column = f"template.{field.column}"
        if field.name in _MOMENTS:
            column = f"CASE WHEN {column} IS NULL THEN NULL ELSE {moment} END"
        elif field.name in _RENAMED | _RENAMED_INSIDE:
            column = _renamed(field, column, words)
        elif field.is_relation:
            column = _link_to_copy(field, column, words)
        elif field.name == "uuid" and not field.null:
            column = words.uuid
        yield str(field.column), column


def _link_to_copy(field: Field[Any, Any], column: str, words: _Words) -> str:
    """Return an expression for the primary key of the copy of the linked row."""
    model: Any = field.related_model
    table = model._meta.db_table

    def original(key: str) -> str:
        return f"(SELECT original.{key} FROM {table} AS original WHERE original.id = {column})"

    keys = ["account", "part"] if model._meta.model_name == "sms" else ["account"]
    same = [f"copied.{key} = {original(key)}" for key in keys]
    same.append(f"copied.txn_ref = {_renamed(model._meta.get_field('txn_ref'), original('txn_ref'), words)}")
    return f"(SELECT copied.id FROM {table} AS copied WHERE {' AND '.join(same)})"


def _renamed(field: Field[Any, Any], column: str, words: _Words) -> str:
    """Return an expression for the text with the reference, the number and the tag of the copy."""
    read, write = "{}", "{}"
    if isinstance(field, JSONField):
        read, write = words.text_of_json, words.json_of_text
    elif isinstance(field, BinaryField):
        read, write = words.text_of_bytes, words.bytes_of_text
    text = read.format(column)
    phone = f"CAST({10**8} + k * {SCATTER} % {10**8} AS char(9))"
    for old, new in (
        (MARK, words.concat.format("'filled-'", "k")),
        (TAG, words.concat.format("'order-'", "k")),
        (NUMBER, f"substr({phone}, 2)"),
    ):
        text = f"replace({text}, '{old}', {new})"
    return write.format(text)


def _fail(keys: list[int]) -> None:
    """Give each notification a failed receiver; most are resolved."""
    failures = apps.get_model("django_hoiio", "ReceiverFailure")
    now = timezone.now()
    failures._default_manager.bulk_create(
        [
            failures(
                notification_id=key,
                signal="notification_received",
                receiver="shop.receivers.bill",
                attempts=1 + place % 5,
                traceback="Traceback (most recent call last):\nValueError: there is no such order",
                failed_at=now,
                resolved_at=now if place % UNRESOLVED else None,
            )
            for place, key in enumerate(keys)
        ],
        batch_size=1_000,
    )


def _copy_to_plain() -> None:
    """Copy the notifications to the plain table."""
    text = _WORDS[connection.vendor].text_of_bytes.format("body")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO benchmarks_plainnotification (id, received_at, txn_ref, kind, query, body)"
            f" SELECT id, received_at, COALESCE(txn_ref, ''), kind, query, {text} FROM django_hoiio_notification"
            " WHERE id > (SELECT COALESCE(MAX(id), 0) FROM benchmarks_plainnotification)"
        )

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import checks as django_checks
from django.core.management import call_command
from django.db import connection
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.settings import api_settings

from django_hoiio import checks
from django_hoiio.conf import SETTINGS, conf
from django_hoiio.enums import Kind

# Timeouts for the options of any database, so that a hanging database fails in time.
TIMEOUTS = {"connect_timeout": 5, "read_timeout": 5, "write_timeout": 5}


@pytest.fixture(autouse=True)
def _keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", TIMEOUTS)


def errors(settings: Any, hoiio: object) -> list[tuple[str | None, str, str | None]]:
    settings.HOIIO = hoiio
    return [(found.id, found.msg, found.hint) for found in checks.check_settings(None)]


def test_good_settings_pass(settings: Any) -> None:
    full = {
        "ACCOUNTS": {
            "default": {"APP_ID": "a", "ACCESS_TOKEN": "t"},
            "second": {"ACCESS_TOKEN": ["new", "old"]},
            "x": {},
        },
        "PUBLIC_URL": "https://my.example.com",
        "SIGNING_KEYS": ["new", "old"],
        "REQUIRE_VERIFICATION": True,
        "DISPATCH": "task",
        "RECEIVER_MAX_ATTEMPTS": 7,
        "TASK_TIMEOUT": 0.5,
        "SPOOL_DIR": Path("/var/spool/hoiio"),
        "RETENTION_DAYS": {
            "sms_received": (30, 365),
            "ivr_ended": (None, 1),
            "unknown": [7, None],
            "call_ended": (9, 9),
        },
        "API_URL": "http://127.0.0.1:8000/sandbox/open/",
        "OVERDUE_AFTER": timedelta(hours=6),
        "RECONCILE_REQUESTS_PER_MINUTE": 1,
        "IVR_FLOWS": {"+6531234567": "switchboard.flows.reception"},
    }
    assert set(full) == set(SETTINGS)
    for good in ({}, {"PUBLIC_URL": None, "SPOOL_DIR": None}, full):
        assert errors(settings, good) == []


def test_settings_may_be_missing(settings: Any) -> None:
    del settings.HOIIO

    assert (checks.check_settings(None), conf.REQUIRE_VERIFICATION, conf.PUBLIC_URL) == ([], True, None)


def test_settings_are_read_when_used(settings: Any) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "PUBLIC_URL": "https://a.example.com"}
    assert (conf.REQUIRE_VERIFICATION, conf.PUBLIC_URL) == (False, "https://a.example.com")

    settings.HOIIO = {}
    assert (conf.REQUIRE_VERIFICATION, conf.PUBLIC_URL) == (True, None)


def test_settings_that_are_no_dict_are_an_error(settings: Any) -> None:
    assert errors(settings, ["PUBLIC_URL"]) == [
        (
            "django_hoiio.E001",
            "HOIIO is not a dict.",
            'Write HOIIO = {"PUBLIC_URL": "https://my.example.com"} in the settings.',
        )
    ]


def test_unknown_setting_is_an_error_with_a_suggestion(settings: Any) -> None:
    assert errors(settings, {"PUBLIC_ULR": "https://my.example.com", "XYZ": 1, 7: 2}) == [
        ("django_hoiio.E002", "HOIIO has no key 'PUBLIC_ULR'.", "Write 'PUBLIC_URL' instead."),
        ("django_hoiio.E002", "HOIIO has no key 'XYZ'.", f"Remove it; the keys are {', '.join(SETTINGS)}."),
        ("django_hoiio.E002", "HOIIO has no key 7.", f"Remove it; the keys are {', '.join(SETTINGS)}."),
    ]


def test_wrong_type_is_an_error(settings: Any) -> None:
    assert errors(settings, {"REQUIRE_VERIFICATION": "no", "PUBLIC_URL": 7}) == [
        (
            "django_hoiio.E003",
            "HOIIO['REQUIRE_VERIFICATION'] is of type str; it needs bool.",
            "Write 'REQUIRE_VERIFICATION': True.",
        ),
        (
            "django_hoiio.E003",
            "HOIIO['PUBLIC_URL'] is of type int; it needs str.",
            "Write 'PUBLIC_URL': 'https://my.example.com'.",
        ),
    ]


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("example.com", "https://example.com"),
        ("//example.com", "https://example.com"),
        ("ftp://example.com", "https://example.com"),
        ("/hoiio", "https://my.example.com"),
        ("https://", "https://my.example.com"),
        ("https://[", "https://my.example.com"),
        ("https://:443", "https://my.example.com"),
        (" https://example.com", "https://example.com"),
        ("", "https://my.example.com"),
    ],
)
def test_public_url_needs_a_scheme_and_a_host(settings: Any, url: str, cure: str) -> None:
    assert errors(settings, {"PUBLIC_URL": url}) == [
        (
            "django_hoiio.E004",
            f"HOIIO['PUBLIC_URL'] is {url!r}; it needs a scheme and a host.",
            f"Write 'PUBLIC_URL': {cure!r}.",
        )
    ]


@pytest.mark.parametrize(
    ("key", "value", "message", "cure"),
    [
        (
            "OVERDUE_AFTER",
            timedelta(0),
            "HOIIO['OVERDUE_AFTER'] is datetime.timedelta(0); it must be at least datetime.timedelta(seconds=1).",
            "Write 'OVERDUE_AFTER': datetime.timedelta(seconds=3600).",
        ),
        (
            "RECONCILE_REQUESTS_PER_MINUTE",
            0,
            "HOIIO['RECONCILE_REQUESTS_PER_MINUTE'] is 0; it must be at least 1.",
            "Write 'RECONCILE_REQUESTS_PER_MINUTE': 60.",
        ),
    ],
)
def test_reconciliation_that_would_never_end_is_an_error(
    settings: Any, key: str, value: object, message: str, cure: str
) -> None:
    assert errors(settings, {key: value}) == [("django_hoiio.E011", message, cure)]


@pytest.mark.parametrize(
    "account",
    ["token", {"TOKEN": "t"}, {"ACCESS_TOKEN": 7}, {"ACCESS_TOKEN": ["t", None]}, {"APP_ID": 7, "ACCESS_TOKEN": "t"}],
)
def test_odd_account_is_an_error_that_does_not_show_it(settings: Any, account: object) -> None:
    assert errors(settings, {"ACCOUNTS": {"default": {}, "second": account}}) == [
        (
            "django_hoiio.E007",
            "HOIIO['ACCOUNTS']['second'] is not an account.",
            "Write 'second': {'APP_ID': '…', 'ACCESS_TOKEN': '…'}; the token may be a list, newest first.",
        )
    ]


@pytest.mark.parametrize("blank", ["", " ", "token\n", ["real", ""], ("new ", "old")])
def test_blank_secret_is_an_error_that_does_not_show_it(settings: Any, blank: object) -> None:
    hint = "Remove it, or set the environment variable that it is read from; write os.environ['…'].strip()."

    def error(where: str) -> tuple[str, str, str]:
        return (
            "django_hoiio.E016",
            (f"{where} contains an empty string, or one with white space around it."),
            hint,
        )

    assert errors(settings, {"ACCOUNTS": {"default": {"APP_ID": "a", "ACCESS_TOKEN": blank}}}) == [
        error("HOIIO['ACCOUNTS']['default']['ACCESS_TOKEN']")
    ]
    if isinstance(blank, list):
        assert errors(settings, {"SIGNING_KEYS": blank}) == [error("HOIIO['SIGNING_KEYS']")]
    if isinstance(blank, str):
        assert errors(settings, {"ACCOUNTS": {"b": {"APP_ID": blank}}}) == [error("HOIIO['ACCOUNTS']['b']['APP_ID']")]


@pytest.mark.parametrize("keys", [["new", None], ("new", 7)])
def test_key_that_is_no_text_is_an_error_that_does_not_show_it(settings: Any, keys: object) -> None:
    assert errors(settings, {"SIGNING_KEYS": keys}) == [
        (
            "django_hoiio.E003",
            "HOIIO['SIGNING_KEYS'] contains a value that is not a string.",
            "Write 'SIGNING_KEYS': ['…'], with strings only.",
        )
    ]


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_blank_fallback_of_the_secret_key_is_an_error(settings: Any, blank: str) -> None:
    settings.SECRET_KEY_FALLBACKS = ["older", blank]

    assert errors(settings, {}) == [
        (
            "django_hoiio.E017",
            "SECRET_KEY_FALLBACKS contains a blank key, with which anybody could sign.",
            "Write SECRET_KEY_FALLBACKS = [key for key in SECRET_KEY_FALLBACKS if key.strip()] below it.",
        )
    ]
    settings.SECRET_KEY_FALLBACKS = ["older"]
    assert errors(settings, {}) == []


def test_odd_dispatch_is_an_error(settings: Any) -> None:
    assert errors(settings, {"DISPATCH": "celery"}) == [
        (
            "django_hoiio.E008",
            "HOIIO['DISPATCH'] is 'celery'; it must be 'inline' or 'task'.",
            "Write 'DISPATCH': 'inline', or 'task' where a worker of Django's Tasks runs.",
        )
    ]


@pytest.mark.parametrize("timeout", [0, 0.0, -1, -0.5, 61, float("inf"), float("nan")])
def test_invalid_task_timeout_is_an_error(settings: Any, timeout: float) -> None:
    assert errors(settings, {"TASK_TIMEOUT": timeout}) == [
        (
            "django_hoiio.E018",
            f"HOIIO['TASK_TIMEOUT'] is {timeout!r}; it must be a number of seconds above 0 and at most 60.",
            "Write 'TASK_TIMEOUT': 1.0.",
        )
    ]


@pytest.mark.parametrize("key", ["TASK_TIMEOUT", "RECEIVER_MAX_ATTEMPTS", "RECONCILE_REQUESTS_PER_MINUTE"])
def test_true_is_not_a_number(settings: Any, key: str) -> None:
    (found,) = errors(settings, {key: True})

    assert (found[0], f"HOIIO[{key!r}] is of type bool; it needs " in found[1]) == ("django_hoiio.E003", True)


@pytest.mark.parametrize("timeout", [1, 0.05, 60])
def test_task_timeout_may_be_an_integer_or_a_float(settings: Any, timeout: float) -> None:
    assert errors(settings, {"TASK_TIMEOUT": timeout}) == []


def test_missing_spool_is_a_warning_of_deployment(settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {}
    assert checks.check_deployment(None) == [checks.deployment.W003]

    settings.HOIIO = {"SPOOL_DIR": tmp_path / "new" / "spool"}
    assert checks.check_deployment(None) == []


def test_settings_that_are_no_dict_are_reported_once(settings: Any) -> None:
    settings.HOIIO = ["SPOOL_DIR"]

    assert (checks.check_deployment(None), checks.check_tasks(None), checks.check_sandbox(None)) == ([], [], [])


def test_spool_that_cannot_be_written_is_a_warning_of_deployment(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.HOIIO = {"SPOOL_DIR": str(tmp_path / "file" / "spool")}

    (found,) = checks.check_deployment(None)
    assert (found.id, found.msg) == (
        "django_hoiio.W004",
        f"Notifications are lost while the database is unavailable: {str(tmp_path / 'file')!r} cannot be written to.",
    )


def test_dates_need_time_zones(settings: Any) -> None:
    settings.USE_TZ = False

    assert checks.check_settings(None) == [checks.settings.E005]


@pytest.mark.django_db
@pytest.mark.parametrize(("required", "warnings"), [(True, []), (False, [checks.deployment.W001])])
def test_deployment_without_verification_is_a_warning(settings: Any, required: bool, warnings: list[Any]) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": required, "SPOOL_DIR": "/tmp"}

    assert checks.check_deployment(None) == warnings
    assert checks.deployment.W001 not in django_checks.run_checks()
    assert (checks.deployment.W001 in django_checks.run_checks(include_deployment_checks=True)) == (not required)


@pytest.mark.parametrize(
    ("database", "warnings"),
    [
        ({"CONN_MAX_AGE": 0}, [checks.deployment.W008]),
        ({"CONN_MAX_AGE": None}, []),
        ({"CONN_MAX_AGE": 60}, []),
        ({"CONN_MAX_AGE": 0, "OPTIONS": {**TIMEOUTS, "pool": {"timeout": 5}}}, []),
    ],
)
def test_connection_for_each_notification_is_a_warning(
    settings: Any, monkeypatch: pytest.MonkeyPatch, database: dict[str, Any], warnings: list[Any]
) -> None:
    settings.HOIIO = {"SPOOL_DIR": "/tmp"}
    for key, value in database.items():
        monkeypatch.setitem(connection.settings_dict, key, value)

    assert checks.check_deployment(None) == warnings


@pytest.mark.django_db
def test_test_database_passes_the_checks() -> None:
    assert checks.check_databases(None, databases=["default"]) == []


def test_database_without_autocommit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)

    assert checks.check_databases(None, databases=["default"]) == [checks.deployment.E012]


@pytest.mark.django_db
def test_models_give_no_warning_on_any_database() -> None:
    assert django_checks.run_checks(tags=["models"], databases=["default"]) == []


def test_databases_are_checked_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "oracle")

    assert checks.check_databases(None) == checks.check_databases(None, databases=["other"]) == []


def test_other_databases_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "oracle")

    (found,) = checks.check_databases(None, databases=["default"])
    assert (found.id, found.msg) == ("django_hoiio.E006", "The database 'default' cannot store notifications.")


@pytest.mark.django_db(transaction=True)
def test_case_insensitive_collation_of_mariadb_is_a_warning_with_a_working_fix() -> None:
    if connection.vendor != "mysql":
        # Other databases compare references exactly.
        assert list(checks.deployment._careless_collation("default")) == []
        return
    table = apps.get_model("django_hoiio", "Notification")._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    try:
        (found,) = checks.check_databases(None, databases=["default"])
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")

    assert found.id == "django_hoiio.W002"
    assert (
        found.msg
        == "The collation 'utf8mb4_general_ci' of the database 'default' treats the references AA-s-1 and AA-S-1 as equal."
    )
    assert f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;" in (found.hint or "")
    assert checks.check_databases(None, databases=["default"]) == []


NARROW = "the character set utf8mb3, which cannot hold every text: an SMS with an emoji gets no row."


@pytest.mark.skipif("connection.vendor != 'mysql'", reason="only MariaDB has a utf8 without four-byte characters")
@pytest.mark.django_db(transaction=True)
def test_table_without_utf8mb4_is_a_warning_with_a_working_fix() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_hoiio_sms CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_bin")
    (found,) = checks.check_databases(None, databases=["default"])
    with connection.cursor() as cursor:
        cursor.execute((found.hint or "").rstrip(";"))

    assert (found.id, found.msg) == (
        "django_hoiio.W010",
        f"The table django_hoiio_sms has columns of {NARROW}",
    )
    assert checks.check_databases(None, databases=["default"]) == []


@pytest.mark.skipif("connection.vendor != 'mysql'", reason="only MariaDB has a utf8 without four-byte characters")
@pytest.mark.django_db(transaction=True)
def test_database_that_cannot_hold_an_emoji_is_a_warning_before_the_first_migrate() -> None:
    database = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {database}_narrow CHARACTER SET utf8mb3 COLLATE utf8mb3_bin")
        cursor.execute(f"USE {database}_narrow")
    try:
        (found,) = checks.check_databases(None, databases=["default"])
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {database}_narrow")
            cursor.execute(f"USE {database}")

    assert (found.id, found.msg) == (
        "django_hoiio.W010",
        f"The database 'default' has {NARROW}",
    )
    assert (found.hint or "").startswith("Before the first migrate: ALTER DATABASE")


@pytest.mark.skipif("connection.vendor != 'mysql'", reason="only MariaDB has a utf8 without four-byte characters")
@pytest.mark.django_db(transaction=True)
def test_connection_that_cannot_carry_an_emoji_is_a_warning() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb3")
    (found,) = checks.check_databases(None, databases=["default"])
    connection.close()

    assert (found.id, found.hint) == ("django_hoiio.W010", "Remove 'charset' from OPTIONS.")


@pytest.mark.parametrize(
    ("vendor", "options", "hint"),
    [
        ("postgresql", {}, "'connect_timeout': 5"),
        ("postgresql", {"connect_timeout": 60}, "'connect_timeout': 5"),
        ("postgresql", {"connect_timeout": "5"}, None),
        ("postgresql", {"connect_timeout": 5, "pool": True}, "'pool': {'timeout': 5}"),
        ("postgresql", {"connect_timeout": 5, "pool": {"max_size": 8}}, "'pool': {'max_size': 8, 'timeout': 5}"),
        ("postgresql", {"connect_timeout": 5, "pool": {"timeout": 3}}, None),
        ("mysql", {"connect_timeout": 5}, "'read_timeout': 5, 'write_timeout': 5"),
        ("mysql", TIMEOUTS, None),
        ("sqlite", {}, None),
    ],
)
def test_database_that_may_hang_for_long_is_a_warning(
    settings: Any, monkeypatch: pytest.MonkeyPatch, vendor: str, options: dict[str, Any], hint: str | None
) -> None:
    settings.HOIIO = {"SPOOL_DIR": "/tmp"}
    monkeypatch.setattr(connection, "vendor", vendor)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)

    found = [(each.id, each.hint) for each in checks.check_deployment(None)]

    assert found == ([] if hint is None else [("django_hoiio.W011", f"Add to its OPTIONS: {hint}")])


@pytest.mark.django_db
def test_project_has_no_missing_migration() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


# The sandbox.


@pytest.mark.parametrize(
    ("hoiio", "found"),
    [
        ({"API_URL": "http://127.0.0.1:8000/sandbox/open/"}, []),
        ({"API_URL": "http://[::1]/sandbox/open/"}, []),
        ({"API_URL": "http://hoiio.localhost/sandbox/open/"}, []),
        ({}, [checks.deployment.W006]),
        ({"API_URL": "http://10.0.0.1/sandbox/open/"}, [checks.deployment.W006]),
        ({"API_URL": "http://[/"}, [checks.deployment.W006]),
        (["API_URL"], []),
    ],
)
def test_sandbox_that_cannot_answer_is_a_warning(settings: Any, hoiio: object, found: list[object]) -> None:
    settings.HOIIO = hoiio

    assert checks.check_sandbox(None) == found


@pytest.mark.parametrize("urls", ["django_hoiio.urls", None])
def test_project_without_the_sandbox_gets_no_warning_about_it(settings: Any, urls: str | None) -> None:
    settings.HOIIO = {}
    settings.ROOT_URLCONF = urls

    assert checks.check_sandbox(None) == []


# The read API.


@pytest.mark.parametrize(
    ("installed", "renderers", "found"),
    [
        ({"rest_framework", "django_filters"}, [BrowsableAPIRenderer], []),
        ({"rest_framework"}, [JSONRenderer, BrowsableAPIRenderer], [checks.deployment.W009]),
        ({"django_filters"}, [JSONRenderer, BrowsableAPIRenderer], [checks.deployment.W009]),
        (set(), [JSONRenderer], []),
    ],
)
def test_api_that_cannot_answer_a_browser_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], renderers: list[Any], found: list[object]
) -> None:
    monkeypatch.setattr(apps, "is_installed", installed.__contains__)
    monkeypatch.setattr(api_settings, "DEFAULT_RENDERER_CLASSES", renderers, raising=False)

    assert checks.check_api(None) == found


@pytest.mark.parametrize("urls", ["django_hoiio.urls", None])
def test_project_without_the_api_gets_no_warning_about_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch, urls: str | None
) -> None:
    monkeypatch.setattr(apps, "is_installed", lambda name: False)
    settings.ROOT_URLCONF = urls

    assert checks.check_api(None) == []


def test_deployment_to_a_sandbox_is_a_warning(settings: Any) -> None:
    settings.HOIIO = {"API_URL": "http://localhost:8000/sandbox/open/", "SPOOL_DIR": "/tmp"}

    assert checks.check_deployment(None) == [checks.deployment.W007]


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("sms_recieved", "Write 'sms_received' instead."),
        (3, f"Remove it; the kinds are {', '.join(Kind.values)}."),
    ],
)
def test_retention_of_an_unknown_kind_is_an_error(settings: Any, kind: object, meant: str) -> None:
    assert errors(settings, {"RETENTION_DAYS": {kind: (30, 365)}}) == [
        ("django_hoiio.E013", f"HOIIO['RETENTION_DAYS'] has {kind!r}, which is not a kind of notification.", meant)
    ]


@pytest.mark.parametrize(
    "days", [30, (30,), (30, 365, 400), ("30", 365), (30.5, None), (True, None), (0, 365), (None, -1), None, "30"]
)
def test_retention_that_is_not_a_pair_of_days_is_an_error(settings: Any, days: object) -> None:
    assert errors(settings, {"RETENTION_DAYS": {"fax_status": days}}) == [
        (
            "django_hoiio.E014",
            f"HOIIO['RETENTION_DAYS']['fax_status'] is {days!r}; it needs two whole numbers of at least 1, or None.",
            "Write 'fax_status': (30, 365), the days after which it is redacted and deleted; None is never.",
        )
    ]


def test_retention_that_deletes_before_it_redacts_is_an_error(settings: Any) -> None:
    assert errors(settings, {"RETENTION_DAYS": {"call_ended": (30, 7)}}) == [
        (
            "django_hoiio.E015",
            "HOIIO['RETENTION_DAYS']['call_ended'] deletes after 7 days what it redacts after 30.",
            "Write 'call_ended': (7, 30), or (None, 7) to delete it without redaction.",
        )
    ]

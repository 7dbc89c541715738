"""The test kit in each kind of test: with and without a transaction around it, unittest, asyncio, a moved clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import freezegun
import pytest
import time_machine
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.test import LiveServerTestCase, TestCase, TransactionTestCase, override_settings
from django.utils import timezone as django_timezone
from django.utils.timezone import now as imported_now
from django.utils.timezone import template_localtime

from django_hoiio.client import HoiioClient
from django_hoiio.models import Notification, Sms
from django_hoiio.signals import sms_received
from django_hoiio.testing import Hoiio, HoiioMixin

CHRISTMAS = datetime(2026, 12, 24, 12, tzinfo=timezone.utc)


@pytest.fixture
def committed() -> Iterator[list[str]]:
    """Connect a receiver that leaves work for after its commit."""
    done: list[str] = []

    def later(sms: Sms, **kwargs: Any) -> None:
        with transaction.atomic():
            transaction.on_commit(lambda: done.append(sms.msg))

    sms_received.connect(later)
    yield done
    sms_received.disconnect(later)


def test_work_after_the_commit_is_done_within_the_transaction_of_a_test(hoiio: Hoiio, committed: list[str]) -> None:
    assert connection.in_atomic_block
    hoiio.sms("one")
    hoiio.sms("two")

    assert committed == ["one", "two"]


@pytest.mark.django_db(transaction=True)
def test_work_after_the_commit_is_done_without_a_transaction(hoiio: Hoiio, committed: list[str]) -> None:
    assert not connection.in_atomic_block
    hoiio.sms("one")

    assert committed == ["one"]


def test_work_after_the_commit_that_fails_fails_the_test(hoiio: Hoiio) -> None:
    def later(**kwargs: Any) -> None:
        transaction.on_commit(lambda: 1 // 0)

    sms_received.connect(later)
    with pytest.raises(ZeroDivisionError):
        hoiio.sms("one")
    sms_received.disconnect(later)


class InATestCase(HoiioMixin, TestCase):
    def test_sms(self) -> None:
        self.hoiio.sms("HELLO")

        self.assertEqual(Sms.objects.get().msg, "HELLO")  # noqa: PT009

    async def test_coroutine(self) -> None:
        await sync_to_async(self.hoiio.sms)("HELLO")

        self.assertEqual((await Sms.objects.aget()).msg, "HELLO")  # noqa: PT009


class InATransactionTestCase(HoiioMixin, TransactionTestCase):
    def test_sms(self) -> None:
        self.hoiio.sms("HELLO")

        self.assertEqual(Sms.objects.get().msg, "HELLO")  # noqa: PT009


class InALiveServerTestCase(HoiioMixin, LiveServerTestCase):
    def test_request_of_another_thread_reaches_the_kit(self) -> None:
        def send() -> None:
            with HoiioClient() as client:
                client.sms.send(dest="+6511111111", msg="hello")
            connection.close()

        thread = threading.Thread(target=send)
        thread.start()
        thread.join()
        self.hoiio.sent[-1].deliver()

        self.assertEqual(Sms.objects.get().sms_status, "delivered")  # noqa: PT009


@pytest.mark.django_db(transaction=True)
def test_coroutine_in_a_loop_of_its_own(hoiio: Hoiio) -> None:
    """As with pytest-asyncio: the database connection is another thread's."""

    async def test() -> int:
        await sync_to_async(hoiio.sms)("HELLO")
        count = await Sms.objects.acount()
        await sync_to_async(connections.close_all)()
        return count

    assert asyncio.run(test()) == 1


def test_kit_needs_no_thread(hoiio: Hoiio) -> None:
    before = threading.active_count()
    hoiio.call().hang_up()

    assert threading.active_count() == before


# Time.


def test_time_stands_still_until_the_test_waits(hoiio: Hoiio) -> None:
    begun = django_timezone.now()
    hoiio.sms("HELLO")
    assert django_timezone.now() == begun == Notification.objects.get().received_at
    hoiio.wait(hours=1, seconds=1)

    assert django_timezone.now() == begun + timedelta(hours=1, seconds=1) == hoiio.now


def test_time_stands_still_for_what_has_imported_the_function(hoiio: Hoiio) -> None:
    hoiio.wait(days=3)

    assert imported_now() == django_timezone.now() == hoiio.now


def test_time_of_a_project_without_time_zones_is_naive(hoiio: Hoiio, settings: Any) -> None:
    settings.USE_TZ = False

    assert imported_now() == hoiio.now.astimezone().replace(tzinfo=None)


@pytest.mark.usefixtures("hoiio")
def test_templates_still_convert_to_local_time() -> None:
    with django_timezone.override("Asia/Singapore"):
        assert template_localtime(CHRISTMAS).hour == 20
    assert template_localtime("noon") == "noon"


@pytest.mark.usefixtures("hoiio")
def test_datetime_of_django_still_makes_datetimes() -> None:
    assert django_timezone.datetime(2026, 12, 1).isoformat() == "2026-12-01T00:00:00"
    assert django_timezone.datetime.fromisoformat("2026-12-01").day == 1


def test_time_goes_on_after_the_test() -> None:
    with Hoiio() as hoiio:
        stopped = hoiio.now

    assert django_timezone.now() > stopped


def test_naive_time_is_refused(hoiio: Hoiio) -> None:
    with pytest.raises(ValueError, match=r"hoiio\.now is 2026-12-01 10:00:00; it needs a tzinfo, for example ZoneInfo"):
        hoiio.now = datetime(2026, 12, 1, 10)  # noqa: DTZ001


def test_kit_follows_freezegun(hoiio: Hoiio) -> None:
    with freezegun.freeze_time(CHRISTMAS) as frozen:
        assert hoiio.now == CHRISTMAS
        hoiio.sms("HELLO")
        frozen.tick(timedelta(days=1))
        hoiio.wait(hours=1)
        assert hoiio.now == imported_now() == CHRISTMAS + timedelta(days=1, hours=1)

    assert Notification.objects.get().received_at == CHRISTMAS


def test_time_goes_on_after_a_test_in_a_frozen_time() -> None:
    with freezegun.freeze_time(CHRISTMAS), Hoiio() as hoiio:
        assert hoiio.now == imported_now() == CHRISTMAS

    assert imported_now() > datetime.now(tz=timezone.utc) - timedelta(minutes=1)


def test_kit_follows_time_machine(hoiio: Hoiio) -> None:
    with time_machine.travel(CHRISTMAS, tick=False):
        hoiio.sms("HELLO")

    assert Notification.objects.get().received_at == CHRISTMAS
    assert Sms.objects.get().created_at == CHRISTMAS


def test_rows_that_a_test_creates_have_the_time_of_the_kit(hoiio: Hoiio) -> None:
    hoiio.wait(days=3)

    assert Sms.objects.create(dest="+6511111111").created_at == hoiio.now


# Settings.


@override_settings(HOIIO={"DISPATCH": "task"})
def test_receivers_run_although_workers_would_run_them(hoiio: Hoiio, committed: list[str]) -> None:
    hoiio.sms("one")

    assert committed == ["one"]


def test_plugin_imports_nothing_of_the_project() -> None:
    import subprocess
    import sys

    code = "import sys, django_hoiio.pytest_plugin; print(sorted(m for m in sys.modules if m.startswith('django')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['django_hoiio', 'django_hoiio.pytest_plugin']\n"

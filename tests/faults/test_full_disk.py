"""Without a database and a writable spool, the answer is 503, because a 200 would lose the notification."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from django_hoiio import ingest as ingesting
from django_hoiio import spool
from django_hoiio.models import Notification

from .conftest import Figures
from .processes import FORM, notification, signed_path

pytestmark = pytest.mark.django_db

REQUESTS = 20
NOBODY = 65534


@pytest.fixture(autouse=True)
def _database_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise OperationalError("could not connect")

    monkeypatch.setattr(ingesting, "store", refuse)


def _answers(times: int = REQUESTS) -> list[int]:
    path = signed_path()
    return [
        Client().generic("POST", path, notification(f"{number:08}"), content_type=FORM).status_code
        for number in range(times)
    ]


def test_full_disk_under_the_spool_is_503(
    monkeypatch: pytest.MonkeyPatch, settings: Any, spool_dir: Path, figures: Figures
) -> None:
    settings.HOIIO = {"SPOOL_DIR": spool_dir}
    really_open = os.open

    def open_on_a_full_disk(path: Any, flags: int, mode: int = 0o777, **kwargs: Any) -> int:
        # The system answers each write to it with "No space left on device".
        return really_open("/dev/full" if flags & os.O_CREAT else path, flags, mode, **kwargs)

    with monkeypatch.context() as full:
        full.setattr(os, "open", open_on_a_full_disk)
        answers = _answers()

    assert answers == [503] * REQUESTS
    assert list(spool.pending(spool_dir)) == []
    assert Notification.objects.count() == 0
    # The disk has space again.
    assert _answers(1) == [200]
    assert len(list(spool.pending(spool_dir))) == 1
    figures(requests=REQUESTS, answered_503=REQUESTS, rows=0, spool_files=0)


@contextlib.contextmanager
def _as_nobody() -> Iterator[None]:
    """Run as another user, because root may write everywhere."""
    user = os.geteuid()
    # Import the modules of a request while they are readable.
    Client().get("/nowhere/")
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_spool_that_can_be_written_but_not_read_is_200(settings: Any) -> None:
    """The folder cannot be opened, so the new names cannot be synced, but the files are complete."""
    # Not pytest's folder, which only its user can access.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o300)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, -1)
        settings.HOIIO = {"SPOOL_DIR": folder}

        with _as_nobody():
            answers = _answers(3)

        folder.chmod(0o700)
        assert answers == [200] * 3
        assert len(list(spool.pending(folder))) == 3
        assert list(spool.unfinished(folder)) == []


@pytest.mark.parametrize("obstacle", ["not ours", "a file", "no such file system", "unset"])
def test_unwritable_spool_is_503(settings: Any, tmp_path: Path, figures: Figures, obstacle: str) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    (tmp_path / "file").touch()
    folders = {
        "not ours": tmp_path / "locked/spool",
        "a file": tmp_path / "file",
        "no such file system": Path("/proc/hoiio/spool"),
        "unset": None,
    }
    settings.HOIIO = {"SPOOL_DIR": folders[obstacle]}

    with _as_nobody() if obstacle == "not ours" else contextlib.nullcontext():
        answers = _answers()

    assert answers == [503] * REQUESTS
    assert Notification.objects.count() == 0
    assert not (tmp_path / "locked/spool").exists()
    figures(requests=REQUESTS, answered_503=REQUESTS, rows=0, spool_files=0)

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hoiio import spool
from django_hoiio.enums import Source, VerifiedBy
from django_hoiio.parsing import RawNotification
from tests.conftest import raw_notification

MORNING = datetime(2026, 1, 1, 8, 0, 0, 5, tzinfo=timezone.utc)
FULL: dict[str, Any] = {
    "uuid": UUID(int=7),
    "received_at": MORNING,
    "headers": {"Content-Type": "x", "User-Agent": "é"},
    "remote_addr": "1.2.3.4",
    "account": "second",
    "verified_by": VerifiedBy.URL,
    "pass_on": {"username": "bob", "n": [1, None]},
    "block": {"kind": "ivr_play", "step": 2},
    "problems": {"signature": "does not match the body"},
}


def test_loaded_notification_is_unchanged_except_for_its_source(tmp_path: Path) -> None:
    raw = raw_notification("sms", "x=%00", b"\x00\xff", **FULL)

    path = spool.store(raw, tmp_path)

    assert path.name == "20260101T080000.000005Z-00000000-0000-0000-0000-000000000007.json"
    assert spool.load(path) == raw._replace(source=Source.SPOOL)


@given(query=st.text(st.characters(codec="ascii")), body=st.binary(), address=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_can_be_stored_and_loaded(tmp_path: Path, query: str, body: bytes, address: str) -> None:
    raw = raw_notification("any", query, body, remote_addr=address)

    assert spool.load(spool.store(raw, tmp_path)) == raw._replace(source=Source.SPOOL)


def test_files_are_in_order_of_reception_in_any_time_zone(tmp_path: Path) -> None:
    singapore = timezone(timedelta(hours=8))
    moments = [MORNING, (MORNING + timedelta(hours=1)).astimezone(singapore), MORNING + timedelta(hours=2)]
    paths = [spool.store(raw_notification("any", received_at=moment), tmp_path) for moment in reversed(moments)]

    assert list(spool.pending(tmp_path)) == paths[::-1]


def test_only_the_owner_can_read_file_and_folder_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "spool"

    path = spool.store(raw_notification(), folder)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == [path]


def test_incomplete_file_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.store(raw_notification(), tmp_path)

    # Half a file would use the space of a smaller one.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_interrupted_write_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupt(descriptor: int) -> None:
        raise error

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(error):
        spool.store(raw_notification(), tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a small disk needs root on Linux")
def test_full_disk_still_stores_small_requests(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], check=True)
    try:
        stored = []
        for size in [30_000] * 12 + [100] * 4:
            with suppress(OSError):
                stored.append(spool.store(raw_notification(body=b"x" * size), tmp_path))

        assert sorted(tmp_path.iterdir()) == sorted(stored)
        assert [len(spool.load(path).body) for path in stored[-4:]] == [100] * 4
        assert 4 < len(stored) < 16
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize(
    ("code", "is_kept"),
    [(errno.EACCES, True), (errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False), (errno.ENOSPC, False)],
)
@pytest.mark.parametrize("what", ["open", "fsync"])
def test_notification_is_stored_if_the_folder_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, code: int, is_kept: bool
) -> None:
    """Simulate Windows, which cannot open folders, and file systems that cannot sync them."""
    original = getattr(os, what)

    def refuse(where: Any, *arguments: Any, **keywords: Any) -> Any:
        is_folder = stat.S_ISDIR(os.fstat(where).st_mode) if isinstance(where, int) else Path(where).is_dir()
        if is_folder:
            raise OSError(code, os.strerror(code))
        return original(where, *arguments, **keywords)

    monkeypatch.setattr(os, what, refuse)
    raw = raw_notification()

    with nullcontext() if is_kept else pytest.raises(OSError, match=os.strerror(code)):
        spool.store(raw, tmp_path)

    (path,) = spool.pending(tmp_path)
    assert spool.load(path).uuid == raw.uuid


def test_file_is_synced_before_it_is_renamed_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    really_sync = os.fsync

    def sync(descriptor: int) -> None:
        really_sync(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append(("folder" if is_folder else "file", [path.suffix for path in tmp_path.iterdir()]))

    monkeypatch.setattr("os.fsync", sync)
    spool.store(raw_notification(), tmp_path)

    assert synced == [("file", [".part"]), ("folder", [".json"])]


def test_missing_folder_has_no_pending_files(tmp_path: Path) -> None:
    assert list(spool.pending(tmp_path / "nowhere")) == []


def test_deleting_or_quarantining_a_missing_file_is_no_error(tmp_path: Path) -> None:
    spool.delete(tmp_path / "gone.json")
    spool.quarantine(tmp_path / "gone.json")


def test_quarantined_file_is_not_pending_and_is_not_deleted(tmp_path: Path) -> None:
    path = spool.store(raw_notification(), tmp_path)

    spool.quarantine(path)

    assert list(spool.pending(tmp_path)) == []
    assert [file.suffix for file in tmp_path.iterdir()] == [".quarantined"]


def _good() -> dict[str, Any]:
    held: dict[str, Any] = json.loads(spool._dump(RawNotification(**{**raw_notification()._asdict(), **FULL})))
    return held


@pytest.mark.parametrize(
    "poison",
    [
        "",
        "[]",
        "null",
        "{",
        "{}",
        json.dumps({**_good(), "route": "mms"}),
        json.dumps({**_good(), "uuid": "x"}),
        json.dumps({**_good(), "uuid": 7}),
        json.dumps({**_good(), "received_at": "soon"}),
        json.dumps({**_good(), "body": "é"}),
        json.dumps({**_good(), "more": 1}),
        json.dumps({**_good(), "block": []}),
    ],
)
def test_file_without_a_valid_notification_raises_value_error(tmp_path: Path, poison: str) -> None:
    path = tmp_path / "poison.json"
    path.write_text(poison, encoding="utf-8")

    with pytest.raises(ValueError):  # noqa: PT011
        spool.load(path)


def test_file_of_a_version_without_blocks_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "older.json"
    path.write_text(json.dumps({name: value for name, value in _good().items() if name != "block"}), encoding="utf-8")

    assert (spool.load(path).uuid, spool.load(path).block) == (UUID(int=7), {})


def test_file_that_is_not_utf_8_raises_value_error(tmp_path: Path) -> None:
    path = tmp_path / "poison.json"
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(ValueError):  # noqa: PT011
        spool.load(path)


def test_files_are_counted_by_suffix_up_to_the_limit(tmp_path: Path) -> None:
    for _ in range(3):
        spool.store(raw_notification("sms", "", "txn_ref=AA-S-1"), tmp_path)
    spool.quarantine(next(spool.pending(tmp_path)))
    (tmp_path / "half.part").touch()

    counts = [spool.count(tmp_path, spool.SUFFIX, most) for most in (1, 2, 9)]

    assert counts == [1, 2, 2]
    assert spool.count(tmp_path, spool.QUARANTINED, 9) == 1


def test_missing_folder_counts_as_empty(tmp_path: Path) -> None:
    assert spool.count(tmp_path / "spool", spool.SUFFIX, 9) == 0


def test_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        spool.count(tmp_path / "file", spool.SUFFIX, 9)

"""A folder of files that store notifications while the database is unavailable, one file each.

A file name has the time of receipt and the UUID, so names sort in order of receipt and a stored notification is
recognised.
"""

from __future__ import annotations

import base64
import errno
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from .enums import Route, Source, VerifiedBy
from .parsing import RawNotification

SUFFIX = ".json"

# Suffix of a quarantined file, which cannot be read or which the database rejects.
QUARANTINED = ".quarantined"

# Suffix while a file is written. A crash may leave one; it is never the only copy of an acknowledged notification.
PARTIAL_SUFFIX = ".part"

# The JSON types of a file's values.
_TYPES = {
    **dict.fromkeys(("uuid", "received_at", "route", "query", "body", "remote_addr", "account", "verified_by"), str),
    **dict.fromkeys(("headers", "pass_on", "block", "problems"), dict),
}


def store(raw: RawNotification, folder: Path) -> Path:
    """Write a notification to a file in `folder` and sync it to disk. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = raw.received_at.astimezone(timezone.utc)
    path = folder / f"{moment:%Y%m%dT%H%M%S.%fZ}-{raw.uuid}{SUFFIX}"
    write(raw, path)
    return path


def write(raw: RawNotification, path: Path) -> None:
    """Create or replace the file: write a temporary one, sync it to disk, rename it. Raises OSError."""
    beside = path.with_suffix(PARTIAL_SUFFIX)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_dump(raw))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        # On a full disk, an incomplete file takes space that a smaller notification needs.
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def pending(folder: Path) -> Iterator[Path]:
    """Return the files to import, in order of receipt."""
    return iter(sorted(folder.glob(f"*{SUFFIX}")))


def quarantined(folder: Path) -> Iterator[Path]:
    """Return the quarantined files, in order of receipt."""
    return iter(sorted(folder.glob(f"*{QUARANTINED}")))


def unfinished(folder: Path) -> Iterator[Path]:
    """Return the files that are being written or that a crash has left."""
    return iter(sorted(folder.glob(f"*{PARTIAL_SUFFIX}")))


def load(path: Path) -> RawNotification:
    """Read a notification. Raises ValueError if the file is not a spool file, OSError if it cannot be opened."""
    if path.exists() and not path.is_file():
        # Opening a named pipe would wait forever for a writer.
        raise ValueError(f"{path.name} is not a file.")
    try:
        # A file of an older version has no block.
        held = {"block": {}, **json.loads(path.read_text(encoding="utf-8"))}
        return RawNotification(
            **{
                **_checked(held),
                "uuid": UUID(held["uuid"]),
                "received_at": datetime.fromisoformat(held["received_at"]),
                "route": Route(held["route"]),
                "body": base64.b64decode(held["body"], validate=True),
                "verified_by": VerifiedBy(held["verified_by"]),
                "source": Source.SPOOL,
            }
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} is not a file of the spool.") from error


def _checked(held: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(held[name], kind) for name, kind in _TYPES.items()):
        raise TypeError("A value is of another type than it was written as.")
    return held


def delete(path: Path) -> None:
    """Delete a file, unless another process has."""
    path.unlink(missing_ok=True)


def quarantine(path: Path) -> None:
    """Rename a file that cannot be read or that the database rejects, so that nothing imports it."""
    try:
        path.rename(path.with_suffix(QUARANTINED))
    except FileNotFoundError:
        # Another process has moved or deleted it.
        return


def count(folder: Path, suffix: str, most: int) -> int:
    """Count the files with a suffix, up to `most`. Raises OSError if the folder cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sum(1 for _ in islice((entry for entry in entries if entry.name.endswith(suffix)), most))
    except FileNotFoundError:
        # The first spooled notification creates the folder.
        return 0


def _dump(raw: RawNotification) -> str:
    return json.dumps(
        {
            **raw._asdict(),
            "uuid": str(raw.uuid),
            "received_at": raw.received_at.isoformat(),
            "body": base64.b64encode(raw.body).decode(),
        }
    )


# Errors of systems that cannot open or sync a folder: Windows and some file systems.
_NO_FOLDER_SYNC = {
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
    errno.EINVAL,
    errno.EBADF,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
}


def _sync(folder: Path) -> None:
    """Sync the new file name to disk, if the system can. The content is synced already."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise

"""The files that keep notifications while the database is away, one each.

A file is named by the moment and the UUID of its arrival, so that names sort in order of arrival, and what was kept
already is recognised.
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

# What a file is renamed to that cannot be read or that the database refuses.
QUARANTINED = ".refused"

# What a file is called while it is written; a crash may leave it, and then nobody was told that it is kept.
UNFINISHED = ".part"


# What a file holds of an arrival, as JSON reads it.
_TYPES = {
    **dict.fromkeys(("uuid", "received_at", "route", "query", "body", "remote_addr", "account", "verified_by"), str),
    **dict.fromkeys(("headers", "pass_on", "problems"), dict),
}


def store(raw: RawNotification, folder: Path) -> Path:
    """Write the arrival for good: beside, to the disk, and renamed into place. Raises OSError where that fails."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = raw.received_at.astimezone(timezone.utc)
    path = folder / f"{moment:%Y%m%dT%H%M%S.%fZ}-{raw.uuid}{SUFFIX}"
    write(raw, path)
    return path


def write(raw: RawNotification, path: Path) -> None:
    """Write the arrival into this file for good, also in place of what is there. Raises OSError where that fails."""
    beside = path.with_suffix(UNFINISHED)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_dump(raw))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        # On a full disk, half a file would take the room of a whole smaller one.
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def pending(folder: Path) -> Iterator[Path]:
    """The files of the spool, in order of arrival."""
    return iter(sorted(folder.glob(f"*{SUFFIX}")))


def quarantined(folder: Path) -> Iterator[Path]:
    """The files that were set aside, in order of arrival."""
    return iter(sorted(folder.glob(f"*{QUARANTINED}")))


def unfinished(folder: Path) -> Iterator[Path]:
    """The files that are being written, or that a crash has left."""
    return iter(sorted(folder.glob(f"*{UNFINISHED}")))


def load(path: Path) -> RawNotification:
    """Read an arrival back. Raises ValueError if the file is not one of the spool's, OSError if it cannot be opened."""
    if path.exists() and not path.is_file():
        # A pipe would wait for a writer for ever.
        raise ValueError(f"{path.name} is not a file.")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
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
    """Delete a file whose notification is kept; another process may have been quicker."""
    path.unlink(missing_ok=True)


def quarantine(path: Path) -> None:
    """Take a file out of the way that cannot be read or that the database refuses, and keep it."""
    try:
        path.rename(path.with_suffix(QUARANTINED))
    except FileNotFoundError:
        # Another process was quicker.
        return


def count(folder: Path, suffix: str, most: int) -> int:
    """How many files end so, counted no further than `most`. Raises OSError where the folder cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sum(1 for _ in islice((entry for entry in entries if entry.name.endswith(suffix)), most))
    except FileNotFoundError:
        # It is made when there is something to keep.
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


# What opening or syncing a folder fails with where the system has no such thing: Windows, and some file systems.
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
    """Bring the new name to the disk too, if the system can. The file itself is there already."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise

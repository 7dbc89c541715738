"""Forgetting in the files of the spool, while others may write, bring in and set aside some."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from .. import spool
from ..parsing import Arrival, parse
from ..progress import Progress
from .numbers import Spellings, text_of
from .persons import PARTIES, PERSONAL

# Seconds after which what is being written was left by a crash.
LEFT_AFTER = 60


@dataclass(kw_only=True)
class Spooled:
    """What was done to the files."""

    # Of which file the number was taken; one may have been brought in meanwhile, as it was before.
    arrivals: set[UUID] = field(default_factory=set)
    # The names of those that cannot be read, and may mention it.
    unreadable: list[str] = field(default_factory=list)


def forget_in_spool(folder: Path, spellings: Spellings, progress: Progress) -> Spooled:
    """Take the numbers out of each file of the spool, in its place. Raises OSError where one cannot be written."""
    done = Spooled()
    for path in spool.unfinished(folder):
        _drop_what_a_crash_left(path, done)
    _forget_in(progress(list(spool.waiting(folder)), "spool"), spellings, done)
    # After the others: what is set aside meanwhile is found here.
    _forget_in(spool.refused(folder), spellings, done)
    return done


def _forget_in(paths: Iterable[Path], spellings: Spellings, done: Spooled) -> None:
    for path in paths:
        _forget_in_file(path, spellings, done)


def _forget_in_file(path: Path, spellings: Spellings, done: Spooled) -> None:
    try:
        arrival = spool.load(path)
        rest = without(arrival, spellings)
    except FileNotFoundError:
        # What is gone is in the database by now, where it is found later; a broken link is not gone.
        if path.is_symlink():
            done.unreadable.append(path.name)
    except (OSError, ValueError, RecursionError):
        if _may_be_mentioned_in(path, spellings):
            done.unreadable.append(path.name)
    else:
        if rest != arrival:
            # One that is brought in at this moment comes back as a file, which the next recovery knows and drops.
            spool.write(rest, path)
            done.arrivals.add(arrival.uuid)


def _may_be_mentioned_in(path: Path, spellings: Spellings) -> bool:
    """Whether a file that is no arrival may mention one of the numbers: only in plain text can they be looked for."""
    if not path.is_file():
        return True
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return True
    # A body is kept in Base64, which hides what it says if the rest of the file is damaged.
    return text.lstrip()[:1] in ("{", "[") or spellings.are_in(text)


def without(arrival: Arrival, spellings: Spellings) -> Arrival:
    """The arrival without the numbers; one that is from or to one of them also loses all else that is personal."""
    params = parse(arrival).params
    if any(spellings.are_in(params.get(name, "")) for name in PARTIES):
        # A name that stays, if empty, keeps the kind of the notification what it is.
        kept = {name: "" if name in PERSONAL else text for name, text in params.items()}
        return arrival._replace(
            query="",
            body=urlencode(kept).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            remote_addr="",
            pass_on={},
        )
    return arrival._replace(
        query=spellings.removed_from(arrival.query),
        body=spellings.removed_from_bytes(arrival.body) if spellings.may_be_in(text_of(arrival.body)) else arrival.body,
        headers=spellings.removed_from_json(dict(arrival.headers)),
        pass_on=spellings.removed_from_json(dict(arrival.pass_on)),
        problems=spellings.removed_from_json(dict(arrival.problems)),
    )


def _drop_what_a_crash_left(path: Path, done: Spooled) -> None:
    try:
        if path.lstat().st_mtime < time.time() - LEFT_AFTER:
            spool.drop(path)
    except FileNotFoundError:
        return
    except OSError:
        done.unreadable.append(path.name)

"""The measured candidates: their URLs, receivers and connection settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection

from django_hoiio.signals import sms_status

from .traffic import signed_path


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to receive a notification."""

    name: str
    path: Callable[[], str]
    # Whether a receiver is connected during its turn.
    is_heard: bool = False
    # Changed settings of the connection.
    settings: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def on_turn(self) -> Iterator[None]:
        """Set up the receiver and the connection of this candidate, and restore them afterwards."""
        if self.is_heard:
            sms_status.connect(listen)
        before = {name: connection.settings_dict[name] for name in self.settings}
        _set_up(self.settings)
        try:
            yield
        finally:
            _set_up(before)
            sms_status.disconnect(listen)


def _set_up(settings: Mapping[str, Any]) -> None:
    """Change the settings of the connection and close it, so that the next one uses them."""
    if settings:
        connection.settings_dict.update(settings)
        connection.close()


def listen(**arguments: Any) -> None:
    """Do nothing."""


EMPTY = Candidate(name="empty view", path=lambda: "/empty/")
RAW = Candidate(name="raw", path=lambda: "/raw/")
SAME_TABLES = Candidate(name="raw, on the tables of django_hoiio", path=lambda: "/same_tables/")
ORM = Candidate(name="ORM as most would write it", path=lambda: "/orm/")
UNHEARD = Candidate(name="django_hoiio, no receiver", path=signed_path)
HEARD = Candidate(name="django_hoiio, one receiver", path=signed_path, is_heard=True)

ON_PERSISTENT_CONNECTION = (EMPTY, RAW, SAME_TABLES, ORM, UNHEARD, HEARD)


def _variant(candidate: Candidate, words: str, **settings: Any) -> Candidate:
    return replace(candidate, name=f"{candidate.name}, {words}", settings=settings)


# Django's default.
ON_NEW_CONNECTION = tuple(_variant(one, "CONN_MAX_AGE=0", CONN_MAX_AGE=0) for one in (RAW, HEARD))
# For databases with prepared statements: each is parsed and planned once per connection.
PREPARED = {
    "postgresql": tuple(
        _variant(one, "prepared", OPTIONS={"server_side_binding": True, "prepare_threshold": 5})
        for one in (RAW, UNHEARD, HEARD)
    )
}

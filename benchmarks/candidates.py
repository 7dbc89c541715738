"""Who takes part: what is posted to, and what is different while it has its turn."""

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
    """One way to take a notification."""

    name: str
    path: Callable[[], str]
    # A receiver is connected while it has its turn.
    is_heard: bool = False
    # What is different in the settings of the connection.
    settings: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def on_turn(self) -> Iterator[None]:
        """Set up what this candidate needs, and put it back afterwards."""
        if self.is_heard:
            sms_status.connect(listen)
        kept = {name: connection.settings_dict[name] for name in self.settings}
        _set_up(self.settings)
        try:
            yield
        finally:
            _set_up(kept)
            sms_status.disconnect(listen)


def _set_up(settings: Mapping[str, Any]) -> None:
    """Change the settings of the connection, which count from the next one on."""
    if settings:
        connection.settings_dict.update(settings)
        connection.close()


def listen(**arguments: Any) -> None:
    """A receiver that does nothing."""


EMPTY = Candidate(name="empty view", path=lambda: "/empty/")
RAW = Candidate(name="raw", path=lambda: "/raw/")
SAME_TABLES = Candidate(name="raw, on the tables of django_hoiio", path=lambda: "/same_tables/")
ORM = Candidate(name="ORM as most would write it", path=lambda: "/orm/")
UNHEARD = Candidate(name="django_hoiio, no receiver", path=signed_path)
HEARD = Candidate(name="django_hoiio, one receiver", path=signed_path, is_heard=True)

ON_KEPT_CONNECTION = (EMPTY, RAW, SAME_TABLES, ORM, UNHEARD, HEARD)


def _variant(candidate: Candidate, words: str, **settings: Any) -> Candidate:
    return replace(candidate, name=f"{candidate.name}, {words}", settings=settings)


# Django's default.
ON_NEW_CONNECTION = tuple(_variant(one, "CONN_MAX_AGE=0", CONN_MAX_AGE=0) for one in (RAW, HEARD))
# For databases that have it: the statement is parsed and planned once for each connection.
PREPARED = {
    "postgresql": tuple(
        _variant(one, "prepared", OPTIONS={"server_side_binding": True, "prepare_threshold": 5})
        for one in (RAW, UNHEARD, HEARD)
    )
}

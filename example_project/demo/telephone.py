"""A client for the sandbox's telephone that sends the same HTTP requests as its page."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import requests
from django.core.management.base import CommandError

from django_hoiio.sandbox.real_time import exchange

# Seconds.
TIMEOUT = 30


class Telephone:
    """The telephone at the URL of its page. Raises `CommandError` if it refuses an action."""

    def __init__(self, page: str) -> None:
        self._actions = f"{page}telephone/"
        self._session = requests.Session()
        # The sandbox is local, so ignore proxy settings.
        self._session.trust_env = False
        self._seen = 0
        # The page sets the CSRF cookie.
        self._session.get(page, timeout=TIMEOUT).raise_for_status()

    def __enter__(self) -> Telephone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def do(self, action: str, **form: str) -> None:
        """Text, call, press, speak or hang up."""
        headers = {"X-CSRFToken": self._session.cookies["csrftoken"]}
        answer = self._session.post(f"{self._actions}{action}/", form, headers=headers, timeout=TIMEOUT)
        if not answer.ok:
            raise CommandError(f"The telephone could not {action}: {answer.json()['error']}")

    def news(self) -> list[str]:
        """Return the texts that the person heard or read since the last call."""
        state = self._state(after=self._seen)
        self._seen = state["revision"]
        return [
            entry.get("text") or entry["msg"]
            for entry in state["entries"]
            if entry["type"] == "spoken" or (entry["type"] == "sms_out" and entry["to"] == state["handset"])
        ]

    def notifications(self) -> list[dict[str, Any]]:
        """Return all notifications and how they were answered, in the order in which they were sent."""
        return [entry for entry in self._state(after=0)["entries"] if entry["type"] == "notification"]

    def _state(self, after: int) -> dict[str, Any]:
        answer = self._session.get(f"{self._actions}state/", params={"after": after}, timeout=TIMEOUT)
        answer.raise_for_status()
        return dict(answer.json())


def settle() -> None:
    """Wait until the project has answered all notifications, and the person has heard what it plays."""
    if not exchange.wait(TIMEOUT, for_texts=True):
        raise CommandError(f"After {TIMEOUT} seconds some notifications were still not answered.")

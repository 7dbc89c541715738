"""A person at the sandbox's telephone, who does over HTTP what the page in the browser does."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import requests
from django.core.management.base import CommandError

from django_hoiio.sandbox import outbox

# Seconds.
PATIENCE = 30


class Telephone:
    """The telephone at the address of its page. Raises `CommandError` for what it does not let one do."""

    def __init__(self, page: str) -> None:
        self._actions = f"{page}telephone/"
        self._session = requests.Session()
        # A proxy is for the way out of this machine.
        self._session.trust_env = False
        self._seen = 0
        # The page brings the cookie against forged requests.
        self._session.get(page, timeout=PATIENCE).raise_for_status()

    def __enter__(self) -> Telephone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def do(self, action: str, **form: str) -> None:
        """Text, call, press, speak or hang up."""
        headers = {"X-CSRFToken": self._session.cookies["csrftoken"]}
        answer = self._session.post(f"{self._actions}{action}/", form, headers=headers, timeout=PATIENCE)
        if not answer.ok:
            raise CommandError(f"The telephone could not {action}: {answer.json()['error']}")

    def news(self) -> list[str]:
        """What the person heard or read since the last time."""
        state = self._state(after=self._seen)
        self._seen = state["revision"]
        return [
            entry.get("text") or entry["msg"]
            for entry in state["entries"]
            if entry["type"] == "spoken" or (entry["type"] == "sms_out" and entry["to"] == state["handset"])
        ]

    def notifications(self) -> list[dict[str, Any]]:
        """All notifications, with how they were answered, in the order in which they went out."""
        return [entry for entry in self._state(after=0)["entries"] if entry["type"] == "notification"]

    def _state(self, after: int) -> dict[str, Any]:
        answer = self._session.get(f"{self._actions}state/", params={"after": after}, timeout=PATIENCE)
        answer.raise_for_status()
        return dict(answer.json())


def settle() -> None:
    """Wait until the sandbox has posted all its notifications, and the project has answered them."""
    if not outbox.wait(PATIENCE):
        raise CommandError(f"After {PATIENCE} seconds there were still notifications on their way.")

"""Request blocks of interactive calls, and compare their notifications."""

from __future__ import annotations

from tests.clients import SandboxClient

ENDED = {"call_state": "ended", "duration": "1", "debit": "0.018"}
UNANSWERED = {"call_state": "ended", "duration": "0", "debit": "0.000"}


def block(sandbox_client: SandboxClient, path: str, session: str, **params: object) -> dict[str, str]:
    """Request a block with a notify URL, and return its immediate notification, if any."""
    # The call takes a block as soon as the notification of the one before is being posted.
    sandbox_client.heard()
    answer, notified = sandbox_client.call_api_and_wait(f"ivr/{path}", session=session, **params)
    assert answer["status"] == "success_ok", answer
    return notified[0] if notified else {}


def status(sandbox_client: SandboxClient, path: str, session: str, **params: object) -> str:
    """Request a block with a notify URL, and return the status of the answer."""
    params = {"notify_url": sandbox_client.application, **params}
    return str(sandbox_client.call_api(f"ivr/{path}", session=session, **params)["status"])


def facts(params: dict[str, str]) -> dict[str, str]:
    """Return the parameters that differ from block to block."""
    return {
        name: value
        for name, value in params.items()
        if name not in ("session", "txn_ref", "tag", "from", "to", "dest", "date", "currency", "rate")
    }


def spoken(sandbox_client: SandboxClient) -> list[str]:
    return [entry["text"] for entry in sandbox_client.entries("spoken")]

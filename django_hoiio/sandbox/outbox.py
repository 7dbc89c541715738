"""Post notifications one after the other and record the results in their log entries."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from http.client import HTTPException

from .delivery import InvalidUrl, UnknownHost, post
from .exchange import exchange
from .records import OutgoingNotification
from .scheduler import Scheduler

_post = Scheduler("hoiio sandbox post")


# Seconds to wait until the API response is sent. Notifications must also go out if the server never closes it.
RESPONSE_TIMEOUT = 5


def send(notices: Iterable[OutgoingNotification], *, after: threading.Event | None = None) -> None:
    """Post notifications in order from another thread, each after the event. Delayed ones do not hold up others."""
    for notice in notices:
        _post.schedule(partial(_deliver, notice, after), after=notice.delay)


def wait(seconds: float) -> bool:
    """Wait until all notifications are posted; return False on timeout."""
    until = time.monotonic() + seconds
    return exchange.wait(seconds) and _post.wait(max(0.0, until - time.monotonic()))


def cancel_all() -> None:
    """Discard notifications that are not sent yet."""
    _post.cancel_all()
    with exchange.locked():
        exchange.forget_notices()


def _deliver(notice: OutgoingNotification, after: threading.Event | None) -> None:
    if after is not None:
        after.wait(RESPONSE_TIMEOUT)
    status, error = _answer(notice)
    state = "answered" if status == HTTPStatus.OK else "failed"
    with exchange.locked():
        exchange.settle(notice, state=state, status=status, error=error)


def _answer(notice: OutgoingNotification) -> tuple[int | None, str]:
    """Return the HTTP status, and an error message if it is not 200."""
    try:
        status = post(notice.delivery, loopback_only=True).status
    except (InvalidUrl, UnknownHost) as error:
        return None, f"It was not sent: {error}."
    except TimeoutError:
        return None, "There was no answer in time."
    except (OSError, HTTPException) as error:
        return None, f"There was no answer ({type(error).__name__})."
    if status == HTTPStatus.OK:
        return status, ""
    return status, f"It was answered with {status}, and Hoiio does not send it again."

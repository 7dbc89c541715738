"""Post requests to Hoiio's API, with time-outs and retries. Nothing is logged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_hoiio.conf import conf
from django_hoiio.exceptions import ConnectionFailed, NotInAFlow, ServerError, error_for, is_status
from django_hoiio.notify_urls import is_local, is_loopback

try:
    import requests
    from requests.adapters import BaseAdapter
    from urllib3.exceptions import NewConnectionError
except ImportError as error:
    raise ImportError("django_hoiio.client needs requests: pip install requests") from error

# Seconds: to connect, and between two pieces of the response.
TIMEOUTS = (5.0, 30.0)

# Seconds to wait before each retry of a query.
RETRY_DELAYS = (0.5, 2.0)


# True while the code of a flow runs.
in_flow: ContextVar[bool] = ContextVar("django_hoiio.in_flow", default=False)


class Session(requests.Session):
    """A session of requests. The test kit answers its requests without a network."""

    for_tests: BaseAdapter | None = None

    def get_adapter(self, url: str) -> BaseAdapter:
        return Session.for_tests or super().get_adapter(url)


class Connection:
    """An account's connections to Hoiio, kept open between requests."""

    def __init__(self, account: str, timeouts: tuple[float, float]) -> None:
        self.account = account
        self._url = _api_url()
        self._credentials = _credentials(account)
        self._timeouts = timeouts
        self._session = Session()
        # Do not send requests to a sandbox on this machine through a proxy from the environment.
        self._session.trust_env = not is_loopback(self._url)

    def close(self) -> None:
        self._session.close()

    def send(self, path: str, params: Mapping[str, str], *, is_read_only: bool) -> dict[str, Any]:
        """Send a request and return the successful response. Raises `HoiioError`.

        A read-only query is retried after `ConnectionFailed` and `ServerError`. Other requests are never retried:
        Hoiio may have executed the first one and would charge twice.
        """
        if in_flow.get():
            raise NotInAFlow("A flow sends a request to Hoiio outside of call.once(), and would do so at each step.")
        for pause in RETRY_DELAYS if is_read_only else ():
            try:
                return self._request_once(path, params)
            except (ConnectionFailed, ServerError):
                time.sleep(pause)
        return self._request_once(path, params)

    def _request_once(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        failure = None
        try:
            # Send parameters in the body, because URLs are logged. A redirect would send the token to another host.
            response = self._session.post(
                self._url + path,
                data={**self._credentials, **params},
                timeout=self._timeouts,
                allow_redirects=False,
            )
        # requests raises ValueError for a redirect to an invalid URL, even with allow_redirects=False.
        except (requests.RequestException, ValueError) as error:
            failure = _no_answer(path, error)
        # Raise outside of `except`, so that the error is not chained: requests' exception holds the access token.
        if failure is not None:
            raise failure
        return _success(path, response.status_code, response.content)


def _api_url() -> str:
    url = conf.API_URL
    if not url.startswith("https://") and not (url.startswith("http://") and is_local(url)):
        raise ImproperlyConfigured(
            f"HOIIO['API_URL'] is {url!r}, which would send the access token unencrypted; write an https URL,"
            " or the http URL of a sandbox on this machine."
        )
    return url.rstrip("/") + "/"


_CREDENTIALS: dict[str, Callable[[str], str]] = {
    "app_id": conf.app_id,
    "access_token": lambda account: next(iter(conf.access_tokens(account)), ""),
}


def _credentials(account: str) -> dict[str, str]:
    if account not in conf.ACCOUNTS:
        raise ValueError(f"HOIIO['ACCOUNTS'] has no account {account!r}; it has {', '.join(conf.ACCOUNTS)}.")
    # Do not keep secrets in variables: Django's error page shows them.
    for name, find in _CREDENTIALS.items():
        if not find(account):
            raise ImproperlyConfigured(
                f"HOIIO['ACCOUNTS'][{account!r}] has no {name.upper()}; copy it from Hoiio's portal."
            )
    return {name: find(account) for name, find in _CREDENTIALS.items()}


def _no_answer(path: str, error: Exception) -> ConnectionFailed:
    never_left = isinstance(error, requests.ConnectTimeout) or isinstance(_reason(error), NewConnectionError)
    happened = "It was not sent." if never_left else "Hoiio may have carried it out."
    return ConnectionFailed(
        "",
        f"No response from Hoiio to {path}: {type(error).__name__}. {happened}",
        may_have_happened=not never_left,
    )


def _reason(error: Exception) -> object:
    """Return urllib3's reason from an exception of requests."""
    return getattr(error.args[0] if error.args else None, "reason", None)


def _success(path: str, code: int, content: bytes) -> dict[str, Any]:
    """Decode a response. Its status word reports success; Hoiio's manual does not mention HTTP status codes."""
    if 300 <= code < 400:
        raise ConnectionFailed(
            "", f"The response to {path} is a redirect, which is not followed; correct HOIIO['API_URL']."
        )
    try:
        # Read numbers as text, so that amounts are never floats.
        answer = json.loads(content, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not is_status(answer.get("status")):
        raise ConnectionFailed(
            "",
            f"The response to {path} is not Hoiio's: HTTP {code}, and no JSON object with a status."
            " Check HOIIO['API_URL']. Hoiio may have carried the request out.",
        )
    if answer["status"] != "success_ok":
        raise error_for(path, answer["status"])
    return answer

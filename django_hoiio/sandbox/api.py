"""Hoiio's REST API, simulated."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Mapping
from hmac import compare_digest
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from django_hoiio.conf import conf
from django_hoiio.parsing.fields import fields_of_body, fields_of_query, storable

from . import real_time
from .endpoints import ENDPOINTS, Endpoint
from .errors import ApiError, ApiRequest, check_tag, check_url
from .exchange import Exchange

# Bytes. The largest request contains a fax of 2 MB, percent-encoded.
BODY_LIMIT = 8 * 1024 * 1024


class Answer(JsonResponse):
    """An API response that sets `is_out` when it has been sent."""

    def __init__(self, content: Mapping[str, Any], *, status: int = HTTPStatus.OK) -> None:
        super().__init__(content, status=status)
        self.is_out = threading.Event()

    def close(self) -> None:
        super().close()
        self.is_out.set()


@csrf_exempt
def serve(request: HttpRequest, path: str) -> HttpResponse:
    """Answer a request to the sandbox of this process."""
    return answer(real_time.exchange, request, path)


def answer(exchange: Exchange, request: HttpRequest, path: str) -> Answer:
    """Answer a request as Hoiio would: `status` holds the outcome, and the HTTP status is 200 for each known path."""
    endpoint = ENDPOINTS.get(path.rstrip("/"))
    if endpoint is None:
        return Answer({"status": "error_service_not_available"}, status=HTTPStatus.NOT_FOUND)
    try:
        api_request = _read(exchange, request, endpoint)
        with exchange.locked() as notices:
            result = endpoint.act(api_request)
    except ApiError as refused:
        return Answer({"status": refused.status})
    response = Answer({**result, "status": "success_ok"})
    exchange.send(notices, once=response.is_out)
    return response


def _read(exchange: Exchange, request: HttpRequest, endpoint: Endpoint) -> ApiRequest:
    """Read and authenticate a request; raise `ApiError` if no endpoint would accept it."""
    if request.method not in ("GET", "POST"):
        raise ApiError("error_invalid_http_method")
    params = _params(request)
    account = _account(params)
    for name in endpoint.required:
        if not params.get(name):
            raise ApiError(f"error_{name}_param_missing")
    api_request = ApiRequest(exchange=exchange, account=account, params=params)
    check_tag(api_request)
    for name, errors in endpoint.urls.items():
        if api_request.text(name):
            check_url(api_request, name, invalid=errors[0], unresolved=errors[1])
    return api_request


def _params(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of query string and body; the body takes precedence."""
    in_query = dict(fields_of_query(request.META.get("QUERY_STRING", "")))
    try:
        in_body = _of_upload(request) if request.content_type == "multipart/form-data" else _of_form(request)
    # Each server raises its own exceptions for a truncated body, and Django raises several for an invalid upload.
    except Exception as error:
        raise ApiError("error_malformed_params") from error
    return {**in_query, **in_body}


def _of_form(request: HttpRequest) -> dict[str, str]:
    """Read a form without Django's size limits, which a fax exceeds."""
    body = request.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise ApiError("error_malformed_params")
    return dict(fields_of_body(body, request.headers.get("Content-Type", "")))


def _of_upload(request: HttpRequest) -> dict[str, str]:
    """Read an upload, with its files encoded in Base64 as in a form."""
    if int(request.headers.get("Content-Length") or 0) > BODY_LIMIT:
        raise ApiError("error_malformed_params")
    uploaded = ((name, file) for name in request.FILES for file in request.FILES.getlist(name))
    files = {name: b64encode(file.read()).decode() for name, file in uploaded}
    return {**{name: storable(request.POST[name]) for name in request.POST}, **files}


def _account(params: Mapping[str, str]) -> str:
    """Return the account with the request's app ID and access token."""
    for name in ("app_id", "access_token"):
        if not params.get(name):
            raise ApiError(f"error_{name}_param_missing")
    accounts = [name for name in conf.ACCOUNTS if conf.app_id(name) == params["app_id"]]
    if not accounts:
        raise ApiError("error_invalid_app_id")
    given = params["access_token"].encode()
    for account in accounts:
        if any(compare_digest(given, token.encode()) for token in conf.access_tokens(account)):
            return account
    raise ApiError("error_invalid_access_token")

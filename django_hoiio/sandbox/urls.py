"""URLs of the sandbox: `path("sandbox/", include("django_hoiio.sandbox.urls"))`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from django_hoiio.conf import conf
from django_hoiio.notify_urls import is_loopback

from . import api, telephone

View = Callable[..., HttpResponse]


def on_this_machine(view: View) -> View:
    """Answer 404 unless `API_URL` is a loopback address. No login is needed, because no data is real."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_loopback(conf.API_URL):
            raise Http404("The sandbox runs only where HOIIO['API_URL'] is a loopback address.")
        return view(request, *args, **kwargs)

    return login_not_required(guarded)


def is_no_poll(record: logging.LogRecord) -> bool:
    """Return whether to log an access. The page of the telephone polls each second, which would flood the console."""
    is_poll = "/telephone/state/" in record.getMessage()
    return not is_poll or getattr(record, "status_code", None) != HTTPStatus.OK


# The access log of runserver.
logging.getLogger("django.server").addFilter(is_no_poll)

app_name = "hoiio_sandbox"

urlpatterns = [
    path("", on_this_machine(telephone.telephone), name="telephone"),
    path("open/<path:path>", on_this_machine(api.serve), name="open"),
    path("recordings/<str:name>", on_this_machine(telephone.file), name="file"),
    path("telephone/state/", on_this_machine(telephone.state), name="state"),
    path("telephone/call/", on_this_machine(telephone.call), name="call"),
    path("telephone/text/", on_this_machine(telephone.text), name="text"),
    path("telephone/press/", on_this_machine(telephone.press), name="press"),
    path("telephone/speak/", on_this_machine(telephone.speak), name="speak"),
    path("telephone/answer/", on_this_machine(telephone.answer), name="answer"),
    path("telephone/decline/", on_this_machine(telephone.decline), name="decline"),
    path("telephone/hangup/", on_this_machine(telephone.hangup), name="hangup"),
    path("telephone/faults/", on_this_machine(telephone.faults), name="faults"),
]

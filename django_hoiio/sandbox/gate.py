"""Where the sandbox runs: on the machine that `HOIIO['API_URL']` names, if that is this one, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse

from ..conf import conf
from ..notify_urls import is_loopback

View = Callable[..., HttpResponse]


def on_this_machine(view: View) -> View:
    """Answer 404 unless the API's address is a loopback one; a login is not asked for, as there is nothing real."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_loopback(conf.API_URL):
            raise Http404("The sandbox runs only where HOIIO['API_URL'] is a loopback address.")
        return view(request, *args, **kwargs)

    return login_not_required(guarded)

"""What the admin answered to whom, so that a test can say what somebody never got to see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .console import RIGHTS

# User name → the pages, as they went to the browser.
served: defaultdict[str, list[str]] = defaultdict(list)


def keep(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Keep the pages of those who work at the workshop."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path.startswith("/admin/") and not response.streaming and request.user.get_username() in RIGHTS:
            served[request.user.get_username()].append(response.content.decode())
        return response

    return answer

"""Record the admin pages of each user, so that a test can check what a user never saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .console import RIGHTS

# Username → the pages as sent to the browser.
served: defaultdict[str, list[str]] = defaultdict(list)


def record(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Record the pages of the workshop's users."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path.startswith("/admin/") and not response.streaming and request.user.get_username() in RIGHTS:
            served[request.user.get_username()].append(response.content.decode())
        return response

    return answer

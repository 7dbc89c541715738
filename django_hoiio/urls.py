"""URLs of the webhook: `path("hoiio/", include("django_hoiio.urls"))`.

Each route exists with the token of a signed notify URL, and without it for verification by Hoiio's signature header.
Both work with and without the final slash, because a redirect would lose the POST.
"""

from __future__ import annotations

from django.urls import path, register_converter

from .enums import Route
from .views import receive

app_name = "django_hoiio"


class RouteConverter:
    """The route in a signed notify URL."""

    regex = "|".join(Route)

    def to_python(self, value: str) -> Route:
        return Route(value)

    def to_url(self, value: Route | str) -> str:
        return Route(value).value


register_converter(RouteConverter, "hoiio_route")

urlpatterns = [
    path("<hoiio_route:route>/<str:token>/", receive, name="signed"),
    path("<hoiio_route:route>/<str:token>", receive),
    *(path(f"{route.value}/", receive, {"route": route}, name=route.value) for route in Route),
    *(path(route.value, receive, {"route": route}) for route in Route),
    path("", receive, {"route": Route.ANY}, name="root"),
]

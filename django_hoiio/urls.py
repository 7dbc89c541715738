"""URLs of the webhook: `path("hoiio/", include("django_hoiio.urls"))`.

Each route exists with the token of a signed notify URL, and without it for verification by Hoiio's signature header.
Both work with and without the final slash, because a redirect would lose the POST.
"""

from __future__ import annotations

from django.urls import path

from .enums import Route
from .views import receive

app_name = "django_hoiio"

urlpatterns = [
    *(path(f"{route.value}/<str:token>/", receive, {"route": route}, name="signed") for route in Route),
    *(path(f"{route.value}/<str:token>", receive, {"route": route}) for route in Route),
    *(path(f"{route.value}/", receive, {"route": route}, name=route.value) for route in Route),
    *(path(route.value, receive, {"route": route}) for route in Route),
    path("", receive, {"route": Route.ANY}, name="root"),
]

"""Where Hoiio posts to: `path("hoiio/", include("django_hoiio.urls"))`.

Each route stands alone, proved by Hoiio's signature, and with the token of a signed notify URL; and each with and
without its slash, because a redirect would lose the POST.
"""

from __future__ import annotations

from django.urls import path

from .kinds import Route
from .views import receive

app_name = "django_hoiio"

urlpatterns = [
    path("", receive, {"route": Route.ANY}, name="root"),
    *(path(f"{route.value}/", receive, {"route": route}, name=route.value) for route in Route),
    *(path(route.value, receive, {"route": route}) for route in Route),
    *(path(f"{route.value}/<str:token>/", receive, {"route": route}, name="signed") for route in Route),
    *(path(f"{route.value}/<str:token>", receive, {"route": route}) for route in Route),
]

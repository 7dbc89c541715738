"""URLs of the webhook, the admin, the read API and its schema, and the sandbox (for local use only)."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from django_hoiio.views import receive

urlpatterns = [
    path("hoiio", receive),
    path("hoiio/", include("django_hoiio.urls")),
    path("admin/", admin.site.urls),
    path("api/hoiio/", include("django_hoiio.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("sandbox/", include("django_hoiio.sandbox.urls")),
    path("", login_not_required(RedirectView.as_view(pattern_name="hoiio_sandbox:telephone"))),
]

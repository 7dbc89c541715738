from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from django_hoiio.views import receive

urlpatterns = [
    path("hoiio", receive),
    path("hoiio/", include("django_hoiio.urls")),
    path("sandbox/", include("django_hoiio.sandbox.urls")),
    path("admin/", admin.site.urls),
]

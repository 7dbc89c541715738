"""URLs of the candidates."""

from __future__ import annotations

from django.urls import include, path

from . import same_tables, views

urlpatterns = [
    path("raw/", views.raw),
    path("hoiio/", include("django_hoiio.urls")),
    path("empty/", views.empty),
    path("same_tables/", same_tables.raw),
    path("orm/", views.orm),
    path("api/", include("django_hoiio.api.urls")),
]

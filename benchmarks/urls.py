from __future__ import annotations

from django.urls import include, path

from . import views

urlpatterns = [
    path("empty/", views.empty),
    path("raw/", views.raw),
    path("orm/", views.orm),
    path("hoiio/", include("django_hoiio.urls")),
]

"""The URLs of the candidates, of the read API and of the admin, which has a plain ModelAdmin for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from . import views
from .models import PlainNotification

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[PlainNotification]
else:
    ModelAdmin = admin.ModelAdmin


class PlainAdmin(ModelAdmin):
    """A list as in Django's tutorial, with filters, a calendar and a search."""

    list_display = ("received_at", "kind", "txn_ref")
    list_filter = ("kind",)
    # As many rows as on a page of django_hoiio.
    list_per_page = 50
    date_hierarchy = "received_at"
    search_fields = ("txn_ref", "body")


urlpatterns = [
    path("raw/", views.raw),
    path("hoiio/", include("django_hoiio.urls")),
    path("empty/", views.empty),
    path("same_tables/", views.same_tables),
    path("orm/", views.orm),
    path("api/", include("django_hoiio.api.urls")),
]

if apps.is_installed("django.contrib.admin"):
    admin.site.register(PlainNotification, PlainAdmin)
    urlpatterns.append(path("admin/", admin.site.urls))

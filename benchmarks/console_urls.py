"""The admin, with a plain ModelAdmin beside those of django_hoiio, and the webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import include, path

from .models import PlainNotification

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[PlainNotification]
else:
    ModelAdmin = admin.ModelAdmin


class StockAdmin(ModelAdmin):
    """A list as in Django's tutorial, with filters, a calendar and a search."""

    list_display = ("received_at", "kind", "txn_ref")
    list_filter = ("kind",)
    # As many rows as on a page of django_hoiio.
    list_per_page = 50
    date_hierarchy = "received_at"
    search_fields = ("txn_ref", "body")


admin.site.register(PlainNotification, StockAdmin)

urlpatterns = [path("admin/", admin.site.urls), path("hoiio/", include("django_hoiio.urls"))]

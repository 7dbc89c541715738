"""URLs of an admin whose list of SMS has a date hierarchy."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from django_hoiio.admin import SmsAdmin
from django_hoiio.models import Sms


class DrilldownAdmin(SmsAdmin):
    date_hierarchy = "created_at"
    list_filter = (("created_at", admin.DateFieldListFilter), *SmsAdmin.list_filter)


site = admin.AdminSite()
site.register(Sms, DrilldownAdmin)

urlpatterns = [path("admin/", site.urls)]

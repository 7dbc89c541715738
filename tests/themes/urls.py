from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from .settings import THEME

urlpatterns = [path("hoiio/", include("django_hoiio.urls")), path("admin/", admin.site.urls)]

if THEME == "admin_interface":
    urlpatterns.append(path("i18n/", include("django.conf.urls.i18n")))

if THEME == "grappelli":
    urlpatterns.append(path("grappelli/", include("grappelli.urls")))

if THEME == "unfold":
    from unfold.admin import ModelAdmin
    from unfold.sites import UnfoldAdminSite

    from django_hoiio.admin import SmsAdmin
    from django_hoiio.models import Sms

    class OwnSmsAdmin(SmsAdmin, ModelAdmin):
        """An admin with the features of the theme."""

    site = UnfoldAdminSite(name="own")
    site.register(Sms, OwnSmsAdmin)
    urlpatterns.append(path("own/", site.urls))

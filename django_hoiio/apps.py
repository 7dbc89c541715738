from __future__ import annotations

from django.apps import AppConfig
from django.core import checks as django_checks
from django.utils.translation import gettext_lazy as _

from . import checks


class DjangoHoiioConfig(AppConfig):
    name = "django_hoiio"
    verbose_name = _("Hoiio")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        django_checks.register(checks.check_settings)
        django_checks.register(checks.check_tasks)
        django_checks.register(checks.check_sandbox, django_checks.Tags.urls)
        django_checks.register(checks.check_api, django_checks.Tags.urls)
        django_checks.register(checks.check_webhook, django_checks.Tags.urls)
        django_checks.register(checks.check_deployment, django_checks.Tags.security, deploy=True)
        django_checks.register(checks.check_public_url, django_checks.Tags.security, deploy=True)
        django_checks.register(checks.check_databases, django_checks.Tags.database)

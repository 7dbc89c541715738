from __future__ import annotations

from django.apps import AppConfig
from django.core import checks as django_checks
from django.utils.translation import gettext_lazy as _

from . import checks
from .conf import conf


class DjangoHoiioConfig(AppConfig):
    name = "django_hoiio"
    verbose_name = _("Hoiio")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        if conf.has_flows:
            # The flows need requests, which is optional, and the models.
            from .ivr.flows import by_name

            # A flow answers calls from the moment when its module is imported.
            for name in conf.IVR_FLOWS.values():
                by_name(str(name))
        django_checks.register(checks.check_settings)
        django_checks.register(checks.check_tasks)
        django_checks.register(checks.check_sandbox, django_checks.Tags.urls)
        django_checks.register(checks.check_api, django_checks.Tags.urls)
        django_checks.register(checks.check_webhook, django_checks.Tags.urls)
        django_checks.register(checks.check_deployment, django_checks.Tags.security, deploy=True)
        django_checks.register(checks.check_public_url, django_checks.Tags.security, deploy=True)
        django_checks.register(checks.check_databases, django_checks.Tags.database)

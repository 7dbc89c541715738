"""Read-only REST API for notifications, calls, SMS, faxes and daily totals.

No other module imports this package. Its requirements are needed only if a project includes `django_hoiio.api.urls`.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

try:
    import django_filters  # noqa: F401
    import rest_framework  # noqa: F401
except ImportError as error:
    raise ImproperlyConfigured(
        "django_hoiio.api needs Django REST framework and django-filter: pip install djangorestframework django-filter"
    ) from error

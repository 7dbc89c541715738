"""The door of other programs: all that came and what became of it, to read over HTTP and not to change.

Nothing else of the app imports this, and a project that does not include `django_hoiio.api.urls` needs none of its
packages.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

try:
    import django_filters  # noqa: F401
    import rest_framework  # noqa: F401
except ImportError as error:
    raise ImproperlyConfigured(
        "django_hoiio.api needs Django REST framework and django-filter: pip install 'django-hoiio[api]'"
    ) from error

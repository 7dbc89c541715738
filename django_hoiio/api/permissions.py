"""Permissions of the API."""

from __future__ import annotations

from rest_framework.permissions import DjangoModelPermissions

__all__ = ["CanView"]

_VIEW = ["%(app_label)s.view_%(model_name)s"]


class CanView(DjangoModelPermissions):
    """Require Django's view permission for the model."""

    perms_map = {"GET": _VIEW, "HEAD": _VIEW, "OPTIONS": _VIEW}

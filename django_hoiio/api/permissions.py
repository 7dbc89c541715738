"""Who may read."""

from __future__ import annotations

from rest_framework.permissions import DjangoModelPermissions, IsAdminUser

_VIEW = ["%(app_label)s.view_%(model_name)s"]


class CanView(DjangoModelPermissions):
    """Lets those read a model who have Django's view permission for it."""

    perms_map = {"GET": _VIEW, "HEAD": _VIEW, "OPTIONS": _VIEW}


# The staff of the project, as in the admin.
STAFF_WITH_VIEW_PERMISSION = (IsAdminUser, CanView)

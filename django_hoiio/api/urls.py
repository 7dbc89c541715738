"""The read API: `path("api/hoiio/", include("django_hoiio.api.urls"))`."""

from __future__ import annotations

from importlib.util import find_spec

from rest_framework.permissions import IsAdminUser
from rest_framework.routers import APIRootView, DefaultRouter

from .views import CallViewSet, FaxViewSet, NotificationViewSet, SmsViewSet, TotalViewSet

if find_spec("drf_spectacular"):
    from . import schema  # noqa: F401

app_name = "hoiio_api"


class RootView(APIRootView):
    """Links to the lists."""

    permission_classes = (IsAdminUser,)
    versioning_class = None


router = DefaultRouter()
router.APIRootView = RootView
router.register("notifications", NotificationViewSet)
router.register("calls", CallViewSet)
router.register("sms", SmsViewSet)
router.register("faxes", FaxViewSet)
router.register("totals", TotalViewSet, basename="total")

urlpatterns = router.urls

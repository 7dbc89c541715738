"""The user of the API in the benchmarks: has all permissions, authenticated without a query."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request


class Reader(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, None]:
        return get_user_model()(is_active=True, is_staff=True, is_superuser=True), None

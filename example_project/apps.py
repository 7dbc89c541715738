from __future__ import annotations

from django.apps import AppConfig


class ExampleProjectConfig(AppConfig):
    name = "example_project"

    def ready(self) -> None:
        # Importing the flows and the receivers connects them. This needs loaded models.
        from . import flows, receivers  # noqa: F401

"""System checks of the settings, databases and deployment. docs/reference/checks.rst has the cause and cure of each."""

from .deployment import check_api, check_databases, check_deployment, check_sandbox, check_tasks
from .settings import check_settings
from .webhook import check_public_url, check_webhook

__all__ = [
    "check_api",
    "check_databases",
    "check_deployment",
    "check_public_url",
    "check_sandbox",
    "check_settings",
    "check_tasks",
    "check_webhook",
]

"""System checks of the settings, databases and deployment. docs/checks.rst has the cause and cure of each."""

from .deployment import check_api, check_databases, check_deployment, check_sandbox, check_tasks
from .settings import check_settings

__all__ = ["check_api", "check_databases", "check_deployment", "check_sandbox", "check_settings", "check_tasks"]

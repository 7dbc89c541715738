"""What `manage.py check` says about the settings and the databases. docs/checks.rst has the cause and cure of each."""

from .api import check_api
from .databases import check_databases
from .deployment import check_deployment
from .sandbox import check_sandbox
from .settings import check_settings
from .tasks import check_tasks

__all__ = ["check_api", "check_databases", "check_deployment", "check_sandbox", "check_settings", "check_tasks"]

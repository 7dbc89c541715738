#!/usr/bin/env python
"""Run the example project, from any directory: `python example_project/manage.py demo`."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

# Package → module.
NEEDED = {
    "Django": "django",
    "tqdm": "tqdm",
    "requests": "requests",
    "djangorestframework": "rest_framework",
    "django-filter": "django_filters",
    "drf-spectacular": "drf_spectacular",
}

if __name__ == "__main__":
    missing = [package for package, module in NEEDED.items() if find_spec(module) is None]
    if missing:
        sys.exit(f'Missing packages: {", ".join(missing)}. Install them: pip install -e "{CHECKOUT}[client,openapi]"')
    from django.core.management import execute_from_command_line

    # The project is imported by name, so add the parent directory. Last, so that an installed django_hoiio takes
    # precedence over the one in the checkout.
    sys.path.append(str(CHECKOUT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    execute_from_command_line(sys.argv)

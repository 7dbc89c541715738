#!/usr/bin/env python
"""Run the example project, from any directory: `python example_project/manage.py demo`."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    # The project is imported by name, so add the parent directory. Last, so that an installed django_hoiio takes
    # precedence over the one in the checkout.
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    execute_from_command_line(sys.argv)

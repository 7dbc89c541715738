"""Configuration of the documentation site: `nox -s site` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parent.parent))

import django_hoiio

# The reference imports the models and the read API.
settings.configure(
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django_hoiio",
        "rest_framework",
    ],
    USE_TZ=True,
)
django.setup()

project = "django_hoiio"
author = "the django_hoiio developers"
# Blocks without a language are commands.
highlight_language = "none"
version = release = django_hoiio.__version__

extensions = ["sphinx.ext.autodoc", "sphinx_copybutton"]
nitpicky = True
# Types of other projects, whose documentation is not at hand when this site is built.
nitpick_ignore_regex = [(r"py:.*", r"(?!django_hoiio).*")]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
default_role = "literal"

html_theme = "furo"
html_title = f"django_hoiio {version}"
html_copy_source = False

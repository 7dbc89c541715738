"""Configuration of the documentation site: `nox -s site` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parent))
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

extensions = ["help_texts", "sphinx.ext.autodoc", "sphinx_copybutton"]
nitpicky = True
# Types of other projects, whose documentation is not at hand when this site is built.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!django_hoiio).*"),
    # Types that are not public, and variables of types.
    (r"py:.*", r"django_hoiio\.(dispatch\.Outcome|retention\.batches\.BatchSize|ivr\.(call|flows)\.Result)"),
]
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__, __new__", "undoc-members": True}
autodoc_preserve_defaults = True
autodoc_type_aliases = {"Progress": "Progress"}
python_maximum_signature_line_length = 100
default_role = "literal"
# Help texts have options with two hyphens.
smartquotes = False

html_theme = "furo"
html_title = f"django_hoiio {version}"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

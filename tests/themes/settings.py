"""The test suite's project with another theme of the admin. `HOIIO_TEST_THEME` chooses it."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

THEME = os.environ["HOIIO_TEST_THEME"]
APPS = {
    "django": [],
    "unfold": ["unfold"],
    "jazzmin": ["jazzmin"],
    "grappelli": ["grappelli"],
    "simpleui": ["simpleui"],
    "admin_interface": ["admin_interface", "colorfield"],
}

INSTALLED_APPS = [*APPS[THEME], *INSTALLED_APPS, "django.contrib.staticfiles"]
# admin_interface offers a choice of languages.
MIDDLEWARE = [*MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
ROOT_URLCONF = "tests.themes.urls"
X_FRAME_OPTIONS = "SAMEORIGIN"

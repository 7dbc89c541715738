"""Packaging metadata. pyproject.toml has the build system and the tools."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildFromScratch(build_py):
    """Build without the files of an earlier build, which may have been deleted since."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(
    name="django-hoiio",
    version=re.findall(r'^__version__ = "(.+)"$', (HERE / "django_hoiio/__init__.py").read_text("utf-8"), re.M)[0],
    description="A Django app that receives, stores and dispatches Hoiio webhooks: voice calls, SMS, fax and IVR.",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="the django_hoiio developers",
    license_expression="MIT",
    license_files=["LICENSE"],
    keywords="django hoiio telephony sms voice fax ivr webhook",
    packages=find_packages(include=["django_hoiio", "django_hoiio.*"]),
    # Files of the package in MANIFEST.in: py.typed, templates, static files.
    include_package_data=True,
    cmdclass={"build_py": BuildFromScratch},
    zip_safe=False,
    # The fixture of the test kit.
    entry_points={"pytest11": ["django_hoiio = django_hoiio.pytest_plugin"]},
    python_requires=">=3.10",
    install_requires=[
        "Django>=5.2",
        # Progress bars of the commands. Receiving a notification does not import it.
        "tqdm>=4.66",
    ],
    extras_require={
        # Requirements of the test suite on SQLite.
        "test": [
            # Pinned, because the floor in pyproject.toml depends on how it counts.
            "coverage==7.17.*; python_version >= '3.11'",
            "django-filter>=25.1",
            "django-tasks>=0.12",
            "django-tasks-db>=0.13",
            "djangorestframework>=3.16",
            "docutils>=0.21",
            "drf-spectacular>=0.28",
            "freezegun>=1.5",
            "gevent>=24.10",
            "gunicorn>=23.0",
            "hypercorn>=0.17",
            "hypothesis>=6.122",
            "pytest>=8.3",
            "pytest-asyncio>=1.0",
            "pytest-django>=4.10",
            "pytest-randomly>=3.16",
            "pytest-xdist>=3.6",
            # uWSGI as a wheel.
            "pyuwsgi>=2.0.27; sys_platform != 'win32'",
            "requests>=2.31",
            "responses>=0.25",
            "sentry-sdk>=2.20",
            "setuptools>=77",
            "time-machine>=2.16",
            "uvicorn>=0.30",
        ],
        "postgres": ["psycopg[binary,pool]>=3.2.2"],
        "mariadb": ["mysqlclient>=2.2.5"],
        # The client for Hoiio's REST API. Receiving does not need it.
        "client": ["requests>=2.31"],
        # The read API, and its OpenAPI schema.
        "api": ["django-filter>=25.1", "djangorestframework>=3.16"],
        "openapi": ["django-filter>=25.1", "djangorestframework>=3.16", "drf-spectacular>=0.28"],
        # Workers for receivers: a queue in the database, RQ on Redis, or Celery.
        "tasks": ["django-tasks>=0.12", "django-tasks-db>=0.13"],
        "rq": ["django-tasks-rq>=0.12"],
        "celery": ["celery[redis]>=5.5", "django-tasks>=0.12", "django-tasks-fennel>=0.1"],
        # Tests in an installed Chromium; Playwright's own browsers are not needed.
        "browser": ["axe-playwright-python>=0.1.4", "playwright>=1.49"],
        # Generates requests to the read API from its schema. Pinned, because each release finds something new.
        "contract": ["schemathesis==4.32.*"],
        # Other themes of the admin, in which its pages are tested. Pinned, because each release changes templates.
        "themes": [
            "django-admin-interface==0.32.*",
            "django-grappelli==5.0.*",
            "django-jazzmin==3.0.*",
            "django-simpleui==2026.1.*",
            "django-unfold==0.110.*",
        ],
        # Builds the site. Pinned, because each release finds something new.
        "docs": [
            "djangorestframework>=3.16",
            "django-filter>=25.1",
            "furo==2025.12.*",
            "requests>=2.31",
            "sphinx==9.2.*",
            "sphinx-copybutton==0.5.*",
        ],
        # Pinned, because each release makes other mutants.
        "mutation": ["mutmut==3.8.*"],
        # Pinned, because each release finds something new.
        "lint": [
            "django-stubs==6.1.*",
            "djangorestframework-stubs==3.18.*",
            "mypy==2.4.*",
            "ruff==0.17.*",
            "types-django-filter",
            "types-requests",
            "types-tqdm",
        ],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Web Environment",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.0",
        "Framework :: Django :: 6.1",
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Communications :: Telephony",
        "Typing :: Typed",
    ],
)

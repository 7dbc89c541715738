"""Check that the installed wheel is complete and works: `installed.py path/to/source/django_hoiio`."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def main(source: Path) -> None:
    apps = ["admin", "auth", "contenttypes", "messages", "sessions"]
    settings.configure(
        INSTALLED_APPS=[*(f"django.contrib.{app}" for app in apps), "django_hoiio"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        SECRET_KEY="wheel",
    )
    django.setup()
    import django_hoiio.urls

    installed = Path(django_hoiio.__file__).parent
    if not installed.is_relative_to(sys.prefix):
        sys.exit(f"{installed} was imported instead of the installed package.")
    if files(source) != files(installed):
        sys.exit(f"These files are only in the source or only in the wheel: {sorted(files(source) ^ files(installed))}")
    call_command("migrate", verbosity=0)
    print(f"The wheel contains all {len(files(installed))} files of django_hoiio, and it can be imported and migrated.")


main(Path(sys.argv[1]))

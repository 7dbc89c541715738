"""Make a persistent database with a million notifications and their calls, SMS and faxes.

    python -m benchmarks.fill --database postgres --rows 1000000

Run again with more rows, it adds what is missing.
"""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

from django.contrib.auth import get_user_model

from .databases import DATABASES, keep, use
from .mixture import mix

HOW_TO_LOOK = """The admin on it opens at http://127.0.0.1:8000/admin/, for {user} with password {password}, with

    HOIIO_BENCHMARK_DATABASE={database} HOIIO_BENCHMARK_NAME={name} \\
        python -m django runserver --insecure --settings benchmarks.console_settings"""
USER = "admin"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fill", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--rows", type=int, default=1_000_000, help="notifications; 1000000 by default")
    arguments = parser.parse_args()
    os.environ.setdefault("HOIIO_BENCHMARK_NAME", "hoiio_console")
    use(arguments.database, settings="benchmarks.console_settings")
    path = keep()
    mix(arguments.rows)
    said = {"user": USER, "password": _new_password(), "database": arguments.database, "name": Path(path).stem}
    print(f"{path} stays.", HOW_TO_LOOK.format(**said))


def _new_password() -> str:
    """Give the user of the admin a new password, and return it."""
    password = secrets.token_urlsafe(12)
    user, _is_new = get_user_model()._default_manager.get_or_create(
        username=USER, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save()
    return password


if __name__ == "__main__":
    main()

"""Whatever the schema allows the API takes, whatever it forbids the API refuses, and each answer is as the schema says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from tests.api.test_api import POSTED
from tests.conftest import Post

# Enough for each check of each operation, in a minute or so.
EXAMPLES = os.environ.get("HOIIO_EXAMPLES", "20")

HERE = Path(__file__).parent
COMMAND = (
    str(Path(sys.executable).with_name("schemathesis")),
    f"--config-file={HERE / 'schemathesis.toml'}",
    "run",
    "--checks=all",
    "--phases=examples,coverage,fuzzing,stateful",
    "--include-path-regex=^/api/hoiio/",
    f"--max-examples={EXAMPLES}",
    "--max-time=150",
)


@pytest.fixture
def address(transactional_db: None, live_server: Any, post: Post, settings: Any) -> str:
    """Where the schema is, of an API that has something of everything."""
    # To check a password takes long on purpose, and here each request has one.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for path, body in POSTED:
        post(path, body)
    return f"{live_server.url}/api/schema/"


def ask(address: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--auth=reader:secret", address]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def test_superuser_gets_what_the_schema_says(address: str, tmp_path: Path) -> None:
    User.objects.create_superuser("reader", password="secret")

    asked = ask(address, tmp_path)

    assert asked.returncode == 0, asked.stdout + asked.stderr


def test_viewer_who_may_see_nothing_else_gets_what_the_schema_says(address: str, tmp_path: Path) -> None:
    user = User.objects.create_user("reader", password="secret", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="django_hoiio", codename__startswith="view_")
    )

    asked = ask(address, tmp_path)

    assert asked.returncode == 0, asked.stdout + asked.stderr

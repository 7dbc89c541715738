"""The API accepts every request that the schema allows, refuses all others, and answers as the schema describes."""

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
    """Return the URL of the schema of an API with rows of all kinds."""
    # The default hashers are slow on purpose, and each request has a password.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for path, body in POSTED:
        post(path, body)
    return f"{live_server.url}/api/schema/"


def run_schemathesis(address: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--auth=reader:secret", address]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def test_responses_for_a_superuser_match_the_schema(address: str, tmp_path: Path) -> None:
    User.objects.create_superuser("reader", password="secret")

    result = run_schemathesis(address, tmp_path)

    assert result.returncode == 0, result.stdout + result.stderr


def test_responses_for_a_user_with_view_permissions_match_the_schema(address: str, tmp_path: Path) -> None:
    user = User.objects.create_user("reader", password="secret", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="django_hoiio", codename__startswith="view_")
    )

    result = run_schemathesis(address, tmp_path)

    assert result.returncode == 0, result.stdout + result.stderr

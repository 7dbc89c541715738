"""Run the code of docs/guides/menus.rst verbatim, with the test kit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from django_hoiio import ivr, pytest_plugin
from django_hoiio.ivr import flows
from django_hoiio.testing import Hoiio
from tests import ROOT
from tests.documents import code_of, follow, make_project

hoiio = pytest_plugin.hoiio
CODES = code_of(ROOT / "docs/guides/menus.rst")


def files() -> list[tuple[str, str]]:
    """Return the path and code of each block; all have a path."""
    return [(re.match(r"# (\S+\.py)\n", code)[1], code) for code in CODES]  # type: ignore[index]


def module(path: str) -> Any:
    """Run a file as a module."""
    (code,) = [code for name, code in files() if name == path]
    made = ModuleType(path.removesuffix(".py").replace("/", "."))
    exec(code, made.__dict__)  # noqa: S102 the code of our own page
    return made


@pytest.fixture(autouse=True)
def _own_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_flows", {})


def test_call_of_the_survey(hoiio: Hoiio) -> None:
    module("switchboard/survey.py").ask("+6598765432", 7)
    (customer,) = hoiio.calls
    customer.answer()
    assert customer.heard == "Good morning.\nHow was order 7? Press 1 to 5."
    customer.press("5")
    ivr.resume(customer.call)
    hoiio.wait()

    assert (customer.heard, customer.ended) == ("Please wait for our staff.\nGoodbye.", True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("menus")
    make_project("docs/start/quickstart.rst", folder)
    follow("docs/guides/menus.rst", folder)
    return folder


def outcome(project: Path) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": f"{project}:{ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_django.plugin", "-p", "django_hoiio.pytest_plugin"]
    command = [sys.executable, "-B", "-m", "pytest", "-q", *plugins, "--ds", "mysite.settings", "switchboard"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_tests_of_the_page_pass(project: Path) -> None:
    code, printed = outcome(project)

    assert (code, re.sub(r" in .*", "", printed.splitlines()[-1])) == (0, "4 passed"), printed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if outcome.answered:", "if outcome:"),
        ('call.once("mail", mail_voicemail, recording.url, call.from_number)', "pass"),
        ("if 9 <=", "if call.now or 9 <="),
    ],
    ids=["takes busy for answered", "no mail", "always open"],
)
def test_fault_is_found(project: Path, before: str, after: str) -> None:
    path = project / "switchboard/flows.py"
    whole = path.read_text(encoding="utf-8")
    assert whole.count(before) == 1
    path.write_text(whole.replace(before, after), encoding="utf-8")
    try:
        assert outcome(project)[0] == 1
    finally:
        path.write_text(whole, encoding="utf-8")

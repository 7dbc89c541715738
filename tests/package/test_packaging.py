from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from itertools import pairwise
from pathlib import Path

import pytest

from tests import ROOT

# Files of a checkout that git does not have.
LITTER = shutil.ignore_patterns(
    ".*_cache", ".coverage*", ".git", ".hypothesis", ".venv", "*.egg-info", "*.sqlite3*", "__pycache__", "build", "dist"
)

# Not in the sdist, which has no benchmarks.
RUN_BENCHMARKS = {"tests/faults/test_pruning.py", "tests/processes/test_benchmarks.py"}


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist and the wheel and return their folder."""
    built = tmp_path_factory.mktemp("dist")
    source = built / "source"
    shutil.copytree(ROOT, source, ignore=LITTER)
    # An earlier build had a file that is gone.
    stale = source / "build/lib/django_hoiio/migrations/0002_gone.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    build = "from setuptools import build_meta; build_meta.build_sdist('..'); build_meta.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, stdout=subprocess.DEVNULL)
    return built


@pytest.fixture(scope="session")
def wheel(dist: Path) -> zipfile.ZipFile:
    (path,) = dist.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="session")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_wheel_has_all_of_the_app_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    expected = {f"django_hoiio/{name}" for name in files(ROOT / "django_hoiio")}

    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected
    assert {"django_hoiio/py.typed", "django_hoiio/migrations/0001_initial.py"} <= expected


def test_wheel_alone_can_be_imported_and_migrated(dist: Path, tmp_path: Path) -> None:
    (path,) = dist.glob("*.whl")
    python = tmp_path / "empty/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", path], check=True)

    check = [python, "-W", "error", ROOT / ".ci/installed.py", ROOT / "django_hoiio"]
    result = subprocess.run(check, cwd=tmp_path, check=False, capture_output=True, text=True)

    assert (result.returncode, result.stderr) == (0, "")


def test_sdist_includes_the_tests_and_the_docs_but_no_benchmarks_and_no_pictures(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    folders = ("django_hoiio", "docs", "example_project", "tests")
    expected = {f"{folder}/{name}" for folder in folders for name in files(ROOT / folder)}
    expected |= {".ci/run", "CHANGELOG.rst", "LICENSE", "MANIFEST.in", "README.rst", "noxfile.py"}
    expected |= {"pyproject.toml", "setup.py"}
    # A demo that was run here leaves its database.
    excluded = {name for name in expected if ".sqlite3" in name or name.endswith(".png")} | RUN_BENCHMARKS
    assert expected - excluded <= names
    assert names & excluded == set()
    assert [name for name in names if name.startswith("benchmarks") or name.endswith((".png", ".pyc"))] == []


def test_tests_of_the_sdist_do_not_use_the_benchmarks() -> None:
    paths = {f"tests/{name}" for name in files(ROOT / "tests") if name.endswith(".py")}
    users = {path for path in paths if re.search(r"\bbenchmarks[./]\w", (ROOT / path).read_text(encoding="utf-8"))}

    assert users - RUN_BENCHMARKS == set()


def test_app_needs_django_and_a_progress_bar(metadata: Message) -> None:
    needed = [each for each in metadata.get_all("Requires-Dist") or [] if "extra ==" not in each]

    assert sorted(needed) == ["Django>=5.2", "tqdm>=4.66"]
    assert metadata["Requires-Python"] == ">=3.10"


def test_licence_is_mit(metadata: Message, wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))

    assert metadata["License-Expression"] == "MIT"
    assert wheel.read(name).decode().startswith("MIT License\n")


def test_description_is_the_readme(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/x-rst"
    assert str(metadata.get_payload()).strip() == (ROOT / "README.rst").read_text(encoding="utf-8").strip()


def test_changelog_begins_with_this_version(metadata: Message) -> None:
    lines = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8").splitlines()
    versions = [line for line, below in pairwise(lines) if below and set(below) == {"-"}]

    assert versions[0].split()[0] == metadata["Version"]


def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)

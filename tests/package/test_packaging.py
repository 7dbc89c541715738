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
from urllib.parse import urlsplit

import docutils.nodes
import pytest

from tests import ROOT
from tests.documents import read

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
    app = {f"django_hoiio/{name}" for name in files(ROOT / "django_hoiio")}
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}

    (folder,) = {name.partition("/")[0] for name in wheel.namelist()} - {"django_hoiio"}
    assert sorted(wheel.namelist()) == sorted(app | {f"{folder}/{name}" for name in about})
    assert {Path(name).suffix for name in app} == SUFFIXES["django_hoiio"]
    assert {"django_hoiio/py.typed", "django_hoiio/migrations/0001_initial.py"} <= app


def test_wheel_alone_can_be_imported_and_migrated(dist: Path, tmp_path: Path) -> None:
    (path,) = dist.glob("*.whl")
    python = tmp_path / "empty/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", path], check=True)

    check = [python, "-W", "error", ROOT / ".ci/installed.py", ROOT / "django_hoiio"]
    result = subprocess.run(check, cwd=tmp_path, check=False, capture_output=True, text=True)

    assert (result.returncode, result.stderr) == (0, "")


# The sdist: the files at its top, which setuptools makes some of, and the kinds of files in each folder.
TOP = {
    "CHANGELOG.rst", "CONTRIBUTING.rst", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.rst", "SECURITY.rst",
    "noxfile.py", "pyproject.toml", "setup.cfg", "setup.py",
}  # fmt: skip
SUFFIXES = {
    ".ci": {"", ".py"},
    "django_hoiio": {".css", ".html", ".js", ".py", ".svg", ".typed"},
    "docs": {".css", ".png", ".py", ".rst", ".svg"},
    "example_project": {".html", ".py", ".rst"},
    "tests": {".jsonl", ".py", ".toml"},
}


def test_sdist_has_the_sources_the_tests_and_the_docs_and_nothing_else(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    made = {name for name in names if name.startswith("django_hoiio.egg-info/")}

    sources = {f"{folder}/{name}" for folder in SUFFIXES for name in files(ROOT / folder) if ".sqlite3" not in name}
    assert names - made == TOP | (sources - RUN_BENCHMARKS)
    assert [name for name in names - made - TOP if Path(name).suffix not in SUFFIXES[name.partition("/")[0]]] == []


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


def test_description_is_the_readme_without_pictures_and_links_into_the_repository(
    metadata: Message, tmp_path: Path
) -> None:
    (tmp_path / "description.rst").write_text(str(metadata.get_payload()), encoding="utf-8")
    description, readme = read(tmp_path / "description.rst"), read(ROOT / "README.rst")
    links = [node["refuri"] for node in description.findall(docutils.nodes.reference) if "refuri" in node]
    # docutils notes that two links have the same text.
    for node in [*readme.findall(docutils.nodes.image), *readme.findall(docutils.nodes.system_message)]:
        node.parent.remove(node)

    assert metadata["Description-Content-Type"] == "text/x-rst"
    assert "webhook" in metadata["Summary"]
    assert description.astext() == readme.astext()
    assert [link for link in links if not urlsplit(link).scheme] == []
    assert list(description.findall(docutils.nodes.image)) == []


def test_extras_are_those_that_the_sessions_and_the_pages_install(metadata: Message) -> None:
    texts = [ROOT / "noxfile.py", ROOT / "README.rst", *ROOT.glob("docs/**/*.rst")]
    named = re.compile(r"""(?:_install\(session, "|django[-_]hoiio\[|-e "\.\[)([a-z,]+)""")
    used = {extra for path in texts for found in named.findall(path.read_text("utf-8")) for extra in found.split(",")}

    assert used <= set(metadata.get_all("Provides-Extra") or [])


def test_changelog_begins_with_this_version(metadata: Message) -> None:
    lines = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8").splitlines()
    versions = [line for line, below in pairwise(lines) if below and set(below) == {"-"}]

    assert versions[0].split()[0] == metadata["Version"]


def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)

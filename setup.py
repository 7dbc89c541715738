"""The parts of the packaging that need code. pyproject.toml has the metadata."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

README = Path(__file__).parent / "README.rst"


class BuildFromScratch(build_py):
    """Build without the files of an earlier build, which may have been deleted since."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


def description() -> str:
    """Return the README without its pictures and its links into the repository, which lead nowhere on an index."""
    without_pictures = re.sub(r"^\.\. (image|figure):: .*\n(?: +.*\n)*\n*", "", README.read_text("utf-8"), flags=re.M)
    return re.sub(r"`([^`<]+?)\s+<(?!https?:)[^`>]+>`__?", r"\1", without_pictures)


setup(
    cmdclass={"build_py": BuildFromScratch},
    long_description=description(),
    long_description_content_type="text/x-rst",
)

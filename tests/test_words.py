"""Words of an older, private vocabulary that must not come back."""

from __future__ import annotations

import re
from pathlib import Path

from tests import ROOT

NEVER = (
    r"untold|retell|mended|unmended|veil|fate|ledger|unproved|by[\s_]hand|other_number|other_tail|is_sure|blanked|blanking"
    r"|patience|patiently|last[\s_]straw|strangers|in[\s_]vain"
)
PATTERN = re.compile(rf"(?<![a-z])({NEVER})", re.IGNORECASE)

FOLDERS = ("django_hoiio", "example_project", "benchmarks", "tests", ".ci", "docs")
PLACES = (*(f"{folder}/**/*" for folder in FOLDERS), "*.rst", "*.py", "*.toml")
TEXTS = {".py", ".html", ".js", ".css", ".rst", ".toml", ""}
FILES = sorted(
    path
    for place in PLACES
    for path in ROOT.glob(place)
    if path.is_file() and path != Path(__file__) and path.suffix in TEXTS and "__pycache__" not in path.parts
)


def test_no_file_has_one_of_the_words() -> None:
    found = [
        (str(path.relative_to(ROOT)), number, match[0])
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for match in PATTERN.finditer(line)
    ]

    assert found == []

"""docs/guides/troubleshooting.rst has each cause that `hoiio_trigger` and the test kit print."""

from __future__ import annotations

import docutils.nodes
import pytest

from django_hoiio.sandbox import causes
from tests import ROOT
from tests.documents import read


def _words(text: str) -> str:
    return " ".join(text.replace("`", "").split())


REMEDIES = {
    _words(node.astext()) for node in read(ROOT / "docs/guides/troubleshooting.rst").findall(docutils.nodes.definition)
}


@pytest.mark.parametrize("clue", causes._CAUSES)
def test_page_has_the_cause(clue: str) -> None:
    assert _words(causes._CAUSES[clue]) in REMEDIES


def test_page_has_no_other_cause() -> None:
    assert {_words(text) for text in causes._CAUSES.values()} == REMEDIES

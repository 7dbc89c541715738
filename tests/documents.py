"""Read the pages of the documentation."""

from __future__ import annotations

from pathlib import Path

import docutils.core
import docutils.nodes


def read(page: Path) -> docutils.nodes.document:
    """Parse a page; warnings raise."""
    overrides = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none", "input_encoding": "utf-8"}
    return docutils.core.publish_doctree(
        page.read_text(encoding="utf-8"),
        source_path=str(page),
        settings_overrides={**overrides, "warning_stream": False},
    )


def code_of(page: Path) -> list[str]:
    blocks = read(page).findall(docutils.nodes.literal_block)
    return [block.astext() for block in blocks if "python" in block["classes"]]


def literal_texts(page: Path) -> list[str]:
    return [node.astext() for node in read(page).findall(docutils.nodes.literal)]


def column(page: Path, heading: str) -> list[str]:
    """Return the cells below a heading, in the first table that has it."""
    for table in read(page).findall(docutils.nodes.table):
        header, *rows = [[cell.astext() for cell in row] for row in table.findall(docutils.nodes.row)]
        if heading in header:
            return [row[header.index(heading)] for row in rows]
    raise LookupError(heading)


def section_titles(page: Path) -> list[str]:
    return [title.astext() for title in read(page).findall(docutils.nodes.title)]

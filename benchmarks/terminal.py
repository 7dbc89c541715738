"""The command line of the benchmarks: arguments, versions and tables."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence

import django
from django.db import connection

from .databases import DATABASES


def new_parser(name: str, docstring: str | None) -> argparse.ArgumentParser:
    """Return the parser of a benchmark that uses a database."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=(docstring or "").partition("\n")[0]
    )
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    return parser


def numbers(text: str) -> list[int]:
    """Parse an argument such as 0,100000."""
    return sorted(int(number) for number in text.split(","))


def show_versions() -> None:
    """Print the versions and the load of the machine."""
    connection.ensure_connection()
    version = ".".join(str(part) for part in connection.get_database_version())
    python, load = platform.python_version(), os.getloadavg()[0]
    print(f"{connection.display_name} {version}, Django {django.__version__}, Python {python}, load {load:.2f}")


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: text left-aligned, figures right-aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    print(f"\n{title}\n")
    for row in (head, ["-" * width for width in widths], *rows):
        first, *figures = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *figures]).rstrip(), flush=True)

"""Numbers, texts and links for eyes and logs that may not see them whole."""

from __future__ import annotations

import re

HIDDEN = "••••"

_NUMBER = re.compile(r"\+?\d{8,}")


def number(text: str) -> str:
    """Show where a phone number belongs and its last four digits, `+65••••1111`; hide anything else."""
    if not text:
        return ""
    if _NUMBER.fullmatch(text):
        return text[:3] + HIDDEN + text[-4:]
    return HIDDEN


def text(text: str) -> str:
    """Show that there is a text, and nothing of it."""
    return HIDDEN if text else ""

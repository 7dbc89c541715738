"""Numbers, texts and links for eyes and logs that may not see them whole."""

from __future__ import annotations

import logging
import re

HIDDEN = "••••"

_INTERNATIONAL = re.compile(r"\+\d{10,}", re.ASCII)
_LOCAL = re.compile(r"\+?\d{8,}", re.ASCII)


def number(text: str) -> str:
    """Show where an international number belongs and its last four digits, `+65••••1111`; of others, less."""
    if _INTERNATIONAL.fullmatch(text):
        return text[:3] + HIDDEN + text[-4:]
    if _LOCAL.fullmatch(text):
        return HIDDEN + text[-4:]
    return HIDDEN if text else ""


def text(text: str) -> str:
    """Show that there is a text, and nothing of it."""
    return HIDDEN if text else ""


# What must not reach a log line, and what is shown instead.
_PRIVATE_NAMES = "msg|from|to|dest[12]?|number|record_url|monitor_url|fax_url|access_token"
_MASKS = (
    # The token of a signed notify URL.
    (re.compile(r"[\w.-]{8,}~[\w-]{20,}", re.ASCII), HIDDEN),
    # Parameters of a form or a URL, of JSON, and of a Python dict.
    (re.compile(rf"\b({_PRIVATE_NAMES})=[^&\s\"']*"), rf"\1={HIDDEN}"),
    (re.compile(rf'"({_PRIVATE_NAMES})"\s*:\s*"(?:[^"\\]|\\.)*"'), rf'"\1": "{HIDDEN}"'),
    (re.compile(rf"'({_PRIVATE_NAMES})'\s*:\s*'(?:[^'\\]|\\.)*'"), rf"'\1': '{HIDDEN}'"),
    # A number anywhere else, its plus percent-encoded once or twice.
    (re.compile(r"(?:\+|%2B|%252B)\d{5,}", re.I | re.ASCII), f"+{HIDDEN}"),
)


def line(text: str) -> str:
    """A log line without tokens, phone numbers, message texts and links to recordings and faxes."""
    for pattern, shown in _MASKS:
        text = pattern.sub(shown, text)
    return text


class MaskingFilter(logging.Filter):
    """Masks what passes through the handler or logger that it is set on. Drops nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            record.msg, record.args = line(record.getMessage()), ()
        except (TypeError, ValueError):
            # Arguments that do not fit the message: the handler reports that itself.
            return True
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = line(record.exc_text)
        if record.stack_info:
            record.stack_info = line(record.stack_info)
        return True

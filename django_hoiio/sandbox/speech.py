"""What an application has played to a caller, as text: Hoiio's markup taken apart."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .refusals import Refused

# Characters.
LONGEST = 1000

_TAG = re.compile(r"<(/?)(speech|url)((?:\s+\w+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*)\s*>")
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}


def heard(msg: str) -> str:
    """The text that a caller hears; a sound file is heard as its link. Raises `Refused` where Hoiio would refuse it."""
    if len(msg) > LONGEST:
        raise Refused("error_msg_invalid_length")
    _check_markup(msg)
    text = _TAG.sub(" ", re.sub(r"<url>\s*(\S*?)\s*</url>", r"♪ \1 ", msg))
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return " ".join(text.split())


def _check_markup(msg: str) -> None:
    opened: list[str] = []
    for closing, name, attributes in _TAG.findall(msg):
        if not closing:
            opened.append(name)
            _check_attributes(dict(_ATTRIBUTE.findall(attributes)))
        elif not opened or opened.pop() != name:
            raise Refused("error_msg_invalid_xml")
    if opened or "<" in _TAG.sub("", msg):
        raise Refused("error_msg_invalid_xml")
    for url in re.findall(r"<url>(.*?)</url>", msg, re.S):
        _check_sound(url.strip())


def _check_attributes(given: dict[str, str]) -> None:
    if not _LANGUAGE.fullmatch(given.get("language", "en")):
        raise Refused("error_msg_invalid_language")
    if given.get("gender", "female") not in ("female", "male"):
        raise Refused("error_msg_invalid_gender")


def _check_sound(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Refused("error_msg_invalid_url") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Refused("error_msg_invalid_url")
    if not parts.path.lower().endswith((".mp3", ".wav", ".gsm")):
        raise Refused("error_msg_invalid_file_format")

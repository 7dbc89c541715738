"""Decode the JSON of a response into its dataclass."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date
from typing import Any, TypeVar

from django_hoiio.exceptions import ServerError
from django_hoiio.parsing.fields import storable
from django_hoiio.parsing.parameters import PARAMETERS

from .responses import HoiioResponse, ListResponse

ResponseType = TypeVar("ResponseType", bound=HoiioResponse)


def decode(response: type[ResponseType], data: Mapping[str, Any], path: str) -> ResponseType:
    """Return the dataclass of a response.

    A value that cannot be parsed stays in `raw` only. Raises `ServerError` if a required field is missing, such as
    the txn_ref of a sent SMS.
    """
    values: dict[str, Any] = {"raw": data}
    for field in fields(response):
        value = _value(field.name, data)
        if value not in (None, "", ()):
            values[field.name] = value
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ServerError("", f"Hoiio answered {path} without {field.name}; check Hoiio's portal.")
    if issubclass(response, ListResponse):
        values["entries"] = tuple(decode(response.entry, each, path) for each in _entries(data, path))
    return response(**values)


def _entries(data: Mapping[str, Any], path: str) -> list[Mapping[str, Any]]:
    entries = data.get("entries") or []
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ServerError("", f"Hoiio answered {path} with entries that are not a list of objects; try again later.")
    return entries


# Names of fields in the older manual, if the newer one has another name.
_OTHER_NAMES = {"bulk_txn_ref": "txn_ref", "forward_sms_to": "forward_to_sms"}


def _value(name: str, data: Mapping[str, Any]) -> Any:
    """Return a field's value; `None` if it cannot be parsed."""
    raw = data.get(name) or data.get(_OTHER_NAMES.get(name, name))
    if name in _LISTS:
        return _texts(raw)
    try:
        return _DECODERS.get(name, str)(_text(raw))
    except ValueError:
        return None


def _text(raw: Any) -> str:
    if raw is None:
        return ""
    return storable(raw if isinstance(raw, str) else json.dumps(raw))


def _texts(raw: Any) -> tuple[str, ...]:
    """Read a list, or comma-separated text as in the older manual."""
    each = raw if isinstance(raw, list) else _text(raw).split(",")
    return tuple(text for text in (_text(one).strip() for one in each) if text)


def _day(text: str) -> date:
    return date.fromisoformat(text.strip()[:10])


_LISTS = {"txn_refs", "caller_ids", "capabilities"}
_AMOUNT, _WHOLE, _NUMBER = (PARAMETERS[name].read for name in ("debit", "duration", "dest"))
_DECODERS: dict[str, Callable[[str], Any]] = {
    "date": PARAMETERS["date"].read,
    "expiry": _day,
    **dict.fromkeys(("duration", "split_count", "fax_pages", "entries_count", "total_entries_count"), _WHOLE),
    **dict.fromkeys(("rate", "debit", "talktime", "balance", "points", "bonus"), _AMOUNT),
    **dict.fromkeys(("dest", "dest1", "dest2", "src", "number", "mobile_number"), _NUMBER),
}

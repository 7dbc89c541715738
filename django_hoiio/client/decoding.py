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

from .responses import HoiioResponse

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
    for name, entry in response.lists.items():
        values[name] = tuple(decode(entry, each, path) for each in _objects(name, data, path))
    return response(**values)


def _objects(name: str, data: Mapping[str, Any], path: str) -> list[Mapping[str, Any]]:
    objects = data.get(name) or []
    if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
        raise ServerError("", f"Hoiio answered {path} with {name} that are not a list of objects; try again later.")
    return objects


# Names of fields in the older manual or in an SDK, if the newer manual has another name.
_OTHER_NAMES = {"bulk_txn_ref": "txn_ref", "forward_sms_to": "forward_to_sms", "capabilities": "capability"}


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
    "is_unicode": {"true": True, "false": False}.get,
    **dict.fromkeys(("duration", "split_count", "fax_pages", "entries_count", "total_entries_count"), _WHOLE),
    **dict.fromkeys(("rate", "debit", "total_cost", "talktime", "balance", "points", "bonus"), _AMOUNT),
    **dict.fromkeys(("dest", "dest1", "dest2", "src", "number", "mobile_number"), _NUMBER),
}

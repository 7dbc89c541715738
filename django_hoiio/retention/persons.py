"""Where a person shows: who took part, and what else of a conversation is about people."""

from __future__ import annotations

from django.db.models import BinaryField, CharField, Field, JSONField, Model, TextField

# Hoiio's parameters, and the columns of a call, SMS or fax, that name who took part.
PARTIES = ("from", "to", "dest", "dest1", "dest2")
PARTY_COLUMNS = ("other_number", "from_number", "to_number", "dest", "dest1", "dest2")

# Hoiio's parameters that say who somebody is, what was said, or what leads there.
PERSONAL = frozenset({*PARTIES, "tag", "room", "msg", "digits", "fax_url", "record_url", "monitor_url"})

# Names and words that Hoiio or this app has given, and what is derived from other columns.
_NAMES = frozenset(
    {
        *("account", "txn_ref", "session", "bulk_txn_ref", "part", "stamps", "other_tail", "direction"),
        *("kind", "route", "proof", "origin", "receivers", "signal", "receiver"),
    }
)


def columns_of(model: type[Model]) -> list[Field[object, object]]:
    """The columns in which somebody may be mentioned."""
    kinds = (CharField, TextField, JSONField, BinaryField)
    return [field for field in model._meta.concrete_fields if isinstance(field, kinds) and field.name not in _NAMES]

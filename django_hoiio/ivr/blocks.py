"""The blocks that a flow requests, and what the caller did in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_hoiio.client import endpoints
from django_hoiio.client.encoding import encode
from django_hoiio.client.endpoints import Endpoint

# By the name of the block.
ENDPOINTS: Mapping[str, Endpoint[Any]] = {
    "play": endpoints.IVR_PLAY,
    "gather": endpoints.IVR_GATHER,
    "record": endpoints.IVR_RECORD,
    "monitor": endpoints.IVR_MONITOR,
    "transfer": endpoints.IVR_TRANSFER,
    "hold": endpoints.IVR_HOLD,
    "unhold": endpoints.IVR_UNHOLD,
    "hangup": endpoints.IVR_HANGUP,
}

# The parameters of a notification that are the result of a block.
RESULTS = ("digits", "record_url", "transfer_status", "dial_status", "monitor_url", "call_state")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block to request. Raises `ValueError` if Hoiio would refuse its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    # The keys that a menu accepts.
    keys: str = ""

    def __post_init__(self) -> None:
        encode({**self.params, "session": "S"}, ENDPOINTS[self.name].encoders)

    @property
    def digest(self) -> str:
        """Identify what was asked, without its text: another text alone does not change a flow."""
        asked = [self.name, self.keys, {name: value for name, value in self.params.items() if name != "msg"}]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:8]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a notification reported of a block."""

    name: str
    digest: str
    params: Mapping[str, str]
    # What `resume` was called with.
    value: Any = None
    at: datetime

    @property
    def has_ended(self) -> bool:
        return self.params.get("call_state") == "ended"

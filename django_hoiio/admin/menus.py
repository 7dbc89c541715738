"""The phone menu of a call: what was asked at each step, and what the caller did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext

from django_hoiio.masking import FIELD_MASKS, LINK, RAW, FieldMask
from django_hoiio.models import Call, IvrRun

from .sections import open_button


@dataclass(frozen=True, kw_only=True)
class Step:
    block: str
    # The text, number and keys of the block.
    asked: str
    # What the caller did, empty while the block runs.
    answer: str
    # How long the caller waited before it.
    wait: str


@dataclass(frozen=True, kw_only=True)
class Menu:
    flow: str
    steps: Sequence[Step]


def menus_of(call: Call, request: HttpRequest) -> list[Menu]:
    """Return the phone menu of a call, if it has one, masked for the user of `request`."""
    runs = IvrRun.objects.using(call._state.db).filter(call=call.pk)
    return [Menu(flow=run.flow, steps=[_step(each, request) for each in run.steps]) for run in runs if run.steps]


def _step(step: Mapping[str, Any], request: HttpRequest) -> Step:
    wait = gettext("after %.1f s") % step["seconds"] if "seconds" in step else ""
    return Step(block=step.get("name", ""), asked=_asked(step, request), answer=_answer(step, request), wait=wait)


def _asked(step: Mapping[str, Any], request: HttpRequest) -> str:
    shown = [_masked(step.get(name, ""), FIELD_MASKS[name], request) for name in ("msg", "dest")]
    keys = step.get("keys", "")
    return " · ".join(filter(None, [*shown, gettext("keys %s") % keys if keys else ""]))


def _answer(step: Mapping[str, Any], request: HttpRequest) -> str:
    if "failed" in step:
        return gettext("Hoiio refused it: %s") % (step["failed"] or gettext("not reached"))
    answer = step.get("answer")
    if answer is None:
        return ""
    link = _masked(answer.get("record_url", ""), LINK, request)
    if link:
        return open_button(link)
    if answer.get("digits"):
        return gettext("pressed %s") % _masked(answer["digits"], RAW, request)
    if answer.get("transfer_status"):
        return str(answer["transfer_status"])
    if answer.get("call_state") == "ended":
        return gettext("hung up")
    return gettext("pressed no key") if "digits" in answer else gettext("listened")


def _masked(value: str, mask: FieldMask, request: HttpRequest) -> str:
    return value if mask.is_visible(request) else mask.mask(value)

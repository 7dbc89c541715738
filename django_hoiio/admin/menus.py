"""The phone menu of a call: what was asked at each step, and what the caller did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hoiio.masking import FIELD_MASKS, LINK, RAW, FieldMask
from django_hoiio.models import IvrRun

from .sections import Section, open_button

_COLUMNS = (_("Step"), _("Block"), _("Asked"), _("The caller"), _("Wait before it"))


def menu_of(run: IvrRun, request: HttpRequest) -> Section:
    """Return the steps of a run, masked for the user of `request`."""
    rows = [
        (number, step.get("name", ""), _asked(step, request), _answer(step, request), _wait(step))
        for number, step in enumerate(run.steps, 1)
    ]
    return Section(title=gettext("Phone menu %s") % run.flow, columns=_COLUMNS, rows=rows)


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


def _wait(step: Mapping[str, Any]) -> str:
    return gettext("%.1f s") % step["seconds"] if "seconds" in step else ""


def _masked(value: str, mask: FieldMask, request: HttpRequest) -> str:
    return value if mask.is_visible(request) else mask.mask(value)

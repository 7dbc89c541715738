"""The telephone page and its JSON endpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST, require_safe

from django_hoiio.enums import Kind

from . import handset
from .delivery import PARAMETER_PLACES
from .exchange import HANDSET, LiveCall
from .handset import ActionRefused, current_call
from .real_time import PEOPLE, exchange
from .records import LogEntry, State

# Seconds.
MAX_DELAY = 3600

View = Callable[[HttpRequest], HttpResponse]


@require_GET
def state(request: HttpRequest) -> HttpResponse:
    """Return the current state and the log entries newer than `?after=`."""
    with exchange.locked():
        return JsonResponse(_state(request))


def _action(act: Callable[[QueryDict, str], object]) -> View:
    """Return a view that runs an action and answers with the new state, or 400 and an error message."""

    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        try:
            with exchange.locked() as notices:
                act(request.POST, _person(request))
                answer = _state(request)
        except ActionRefused as error:
            return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
        exchange.send(notices)
        return JsonResponse(answer)

    return view


def _person(request: HttpRequest) -> str:
    """Return the number of the person who uses the page; `private` withholds it."""
    person = request.GET.get("as", "")
    return person if person in PEOPLE else HANDSET


call = _action(lambda form, person: handset.call(exchange, person, form.get("to", "")))
text = _action(lambda form, person: handset.text(exchange, person, form.get("to", ""), form.get("msg", "")))
press = _action(lambda form, person: handset.press(current_call(exchange, person), form.get("digits", "")))
speak = _action(lambda form, person: handset.speak(current_call(exchange, person), form.get("text", "")))
answer = _action(lambda form, person: handset.answer(current_call(exchange, person)))
decline = _action(lambda form, person: handset.decline(current_call(exchange, person)))
hangup = _action(lambda form, person: handset.hang_up(current_call(exchange, person)))


def _switch(form: QueryDict) -> None:
    exchange.switch(**{_FAULTS[name][0]: _FAULTS[name][1](form.get(name, "")) for name in form if name in _FAULTS})


faults = _action(lambda form, person: _switch(form))


@require_safe
def file(request: HttpRequest, name: str) -> HttpResponse:
    """Serve a recording or a fax. A recording is served as its spoken text."""
    with exchange.locked():
        content_type, content = exchange.files.get(name, ("", b""))
    if not content_type:
        raise Http404("It is no longer stored.")
    return HttpResponse(content, content_type=content_type, headers={"X-Content-Type-Options": "nosniff"})


def _place(text: str) -> str:
    if text not in PARAMETER_PLACES:
        raise ActionRefused(f"Notifications are sent by {', '.join(PARAMETER_PLACES[:-1])} or {PARAMETER_PLACES[-1]}.")
    return text


def _amount(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text or 0)
        except ValueError:
            number = math.nan
        if not 0 <= number <= most:
            raise ActionRefused(f"It needs a number from 0 to {most:g}.")
        return number

    return read


def _truth(text: str) -> bool:
    return text.lower() in ("true", "on", "1", "yes")


# Form field → attribute of `Faults` and parser. A fault that is not sent stays unchanged.
_FAULTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "params_in": ("params_in", _place),
    "delay": ("delay", _amount(MAX_DELAY)),
    "duplicate": ("duplicate", _truth),
    "drop": ("drop_rate", lambda text: float(_truth(text))),
    "drop_rate": ("drop_rate", _amount(1)),
    "bad_signature": ("bad_signature", _truth),
    "own_in_query": ("own_in_query", _truth),
    "unnamed_blocks": ("unnamed_blocks", _truth),
    "short_legs": ("short_legs", _truth),
}


def _state(request: HttpRequest) -> dict[str, Any]:
    after = request.GET.get("after", "")
    seen = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else 0
    person = _person(request)
    current = exchange.call_of(person)
    return {
        "revision": exchange.revision,
        "handset": person,
        "numbers": [number.number for number in exchange.numbers() if number.mode == "voice"],
        "call": current and _call(current),
        "faults": {name: getattr(exchange.faults, name) for name in (*_FAULTS,)},
        "entries": [
            _entry(entry)
            for entry in exchange.entries.values()
            if entry.revision > seen and entry.details.get("person", person) == person
        ],
    }


def _call(call: LiveCall) -> dict[str, Any]:
    gathers = call.state == State.GATHERING
    return {
        "session": call.session or call.transaction.txn_ref,
        "direction": call.direction.value,
        "number": call.number,
        "state": call.state.value,
        "max_digits": call.max_digits if gathers else 0,
        "digits": call.digits if gathers else "",
    }


def _entry(entry: LogEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "revision": entry.revision,
        "at": entry.at.isoformat(timespec="milliseconds"),
        "type": entry.type,
        **entry.details,
    }


# URL names of the endpoints in `urls.py`.
ACTIONS = ("state", "call", "text", "press", "speak", "answer", "decline", "hangup", "faults")

# The page shows texts from outside. If one became markup, it still could not run, load or send anything.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

KEYPAD = (
    ("1", ""),
    ("2", "abc"),
    ("3", "def"),
    ("4", "ghi"),
    ("5", "jkl"),
    ("6", "mno"),
    ("7", "pqrs"),
    ("8", "tuv"),
    ("9", "wxyz"),
    ("*", ""),
    ("0", "+"),
    ("#", ""),
)


@require_safe
def telephone(request: HttpRequest) -> HttpResponse:
    """Render the page. It fetches its data from the JSON endpoints."""
    context = {
        "actions": {action: reverse(f"hoiio_sandbox:{action}") for action in ACTIONS},
        "keys": KEYPAD,
        "people": PEOPLE,
        "person": _person(request),
        "kinds": {kind.value: str(kind.label) for kind in Kind},
    }
    response = render(request, "django_hoiio/sandbox/telephone.html", context)
    response["Content-Security-Policy"] = "; ".join(f"{what} {where}" for what, where in POLICY.items())
    return response

"""The page with the telephone; what it shows comes from the telephone's endpoints, and nothing from another host."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..kinds import Kind

# The endpoints, as `urls.py` names them.
ACTIONS = ("state", "call", "text", "press", "speak", "answer", "decline", "hangup", "faults")

# Anybody may have written the texts on this page. Even one that became markup could run, load and send nothing.
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

# As they stand on a telephone.
KEYS = (
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
    """Answer the page; it asks for all else itself."""
    context = {
        "actions": {action: reverse(f"hoiio_sandbox:{action}") for action in ACTIONS},
        "keys": KEYS,
        "kinds": {kind.value: str(kind.label) for kind in Kind},
    }
    response = render(request, "django_hoiio/sandbox/telephone.html", context)
    response["Content-Security-Policy"] = "; ".join(f"{what} {where}" for what, where in POLICY.items())
    return response

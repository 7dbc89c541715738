"""The sandbox of a development project: `path("sandbox/", include("django_hoiio.sandbox.urls"))`."""

from __future__ import annotations

from django.urls import path

from . import api, page, telephone
from .gate import on_this_machine

app_name = "hoiio_sandbox"

urlpatterns = [
    path("", on_this_machine(page.telephone), name="telephone"),
    path("open/<path:path>", on_this_machine(api.serve), name="open"),
    path("recordings/<str:name>", on_this_machine(telephone.file), name="file"),
    path("telephone/state/", on_this_machine(telephone.state), name="state"),
    path("telephone/call/", on_this_machine(telephone.call), name="call"),
    path("telephone/text/", on_this_machine(telephone.text), name="text"),
    path("telephone/press/", on_this_machine(telephone.press), name="press"),
    path("telephone/speak/", on_this_machine(telephone.speak), name="speak"),
    path("telephone/answer/", on_this_machine(telephone.answer), name="answer"),
    path("telephone/decline/", on_this_machine(telephone.decline), name="decline"),
    path("telephone/hangup/", on_this_machine(telephone.hangup), name="hangup"),
    path("telephone/faults/", on_this_machine(telephone.faults), name="faults"),
]

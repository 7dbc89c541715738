"""The script of the demo: the project makes every kind of request, and a person texts and calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django_hoiio.client import HoiioClient
from django_hoiio.sandbox.exchange import HANDSET
from example_project.flows import pick_up

from .telephone import Telephone, settle

# Numbers of the sandbox: the project's own, two that a machine answers, a busy one, and one that Hoiio refuses.
OWN, OWN_FAX = "+6531234567", "+6531234568"
ANN, BOB, BUSY, REFUSED = "+6511111111", "+6522222222", "+6500000200", "+6500000500"

# An empty A4 page.
PAGE = b"""\
%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>> endobj
trailer <</Root 1 0 R>>
"""

# Requests of the project to Hoiio. Each of their notifications returns `pass_on`.
REQUESTS: dict[str, Callable[[HoiioClient], object]] = {
    "client.sms.send": lambda client: client.sms.send(
        dest=HANDSET, msg="Your bicycle is ready.", pass_on={"order": 17}
    ),
    "client.sms.bulk_send": lambda client: client.sms.bulk_send(
        dest=[ANN, BOB, REFUSED], msg="We are closed on Monday.", pass_on={"campaign": 7}
    ),
    "client.voice.call": lambda client: client.voice.call(dest1=ANN, dest2=BUSY, pass_on={"lead": 4}),
    "client.voice.conference": lambda client: client.voice.conference(dest=[ANN, BOB], room="workshop"),
    "client.fax.send": lambda client: client.fax.send(dest=OWN_FAX, file=PAGE, pass_on={"document": 5}),
    "flows.pick_up.dial": lambda client: pick_up.dial(ANN, msg="Your bicycle is ready."),
}

# The person's actions at the telephone, in order: write, call, and leave a message.
DEEDS: tuple[tuple[str, dict[str, str]], ...] = (
    ("text", {"to": OWN, "msg": "Is my bicycle ready?"}),
    ("call", {"to": OWN}),
    ("press", {"digits": "2"}),
    ("speak", {"text": "The chain came off again."}),
)


def play(telephone: Telephone, say: Callable[[str], None]) -> None:
    """Perform all requests and actions. Each waits for the notifications of the one before."""

    def act(what: str, deed: Callable[[], object]) -> None:
        say(f"\n> {what}")
        deed()
        settle()
        for text in telephone.news():
            say(f"< {text}")

    with HoiioClient() as client:
        for name, ask in REQUESTS.items():
            act(name, partial(ask, client))
    for action, form in DEEDS:
        act(f"telephone: {' '.join((action, *form.values()))}", partial(telephone.do, action, **form))

"""What stands in the columns of the lists: when it came, and words with a quiet colour that says them again."""

from __future__ import annotations

from datetime import datetime

from django.utils.html import format_html

from django_hoiio.kinds import CallState, CallStatus, SmsStatus

from .wording import moment

# The classes are in theme.css. A word that is not here, as any that Hoiio does not document, stays without a colour.
_TONES: dict[str, str] = {
    SmsStatus.DELIVERED: "good",
    SmsStatus.RECEIVED: "good",
    CallStatus.ANSWERED: "good",
    "success_ok": "good",
    SmsStatus.QUEUED: "going",
    CallStatus.ONGOING: "going",
    CallState.RINGING: "going",
    CallStatus.UNANSWERED: "vain",
    CallStatus.BUSY: "vain",
    SmsStatus.FAILED: "bad",
    SmsStatus.ERROR: "bad",
}


def label(raw: str, word: str) -> str:
    """Show the word for what Hoiio said."""
    tone = "bad" if raw.startswith("error_") else _TONES.get(raw, "plain")
    return format_html('<span class="hoiio-label hoiio-{}">{}</span>', tone, word)


def minute(value: datetime | None) -> str:
    """Say when something came; nothing where it did not."""
    return "" if value is None else moment(value)

"""What the project does when Hoiio tells it something: here, it prints a line. Copy a receiver, and do your own thing.

A receiver is called after its notification is kept. `sms`, `call` or `fax` is the row that the notification brought up
to date, and `None` where it names no transaction. One that raises is noted in the admin, and stops no other.
Hoiio and, in an IVR, a caller wait until all receivers are through: what takes long belongs into a task.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from django_hoiio import signals
from django_hoiio.models import Call, Fax, Notification, Sms


@receiver(signals.call_ended)
def on_call_ended(notification: Notification, call: Call, **kwargs: Any) -> None:
    legs = f"{call.call_status_dest1}/{call.call_status_dest2}"
    tell("call_ended", f"{call.dest1} → {call.dest2}", f"{legs}, {cost(call)}", notification)


@receiver(signals.sms_received)
def on_sms_received(notification: Notification, sms: Sms, **kwargs: Any) -> None:
    tell("sms_received", f"{sms.from_number} → {sms.to_number}", f'"{sms.msg}"', notification)


@receiver(signals.sms_status)
def on_sms_status(notification: Notification, sms: Sms, **kwargs: Any) -> None:
    # What has come now is in `notification.params`; `sms` is where the SMS stands, whatever the order of arrival.
    tell("sms_status", f"→ {sms.dest}", sms.sms_status, notification)


@receiver(signals.bulk_sms_status)
def on_bulk_sms_status(notification: Notification, sms: Sms | None, **kwargs: Any) -> None:
    # A refused message may come without a reference or a number, and so without a row.
    to = f"→ {sms.dest}" if sms else "→ ?"
    tell("bulk_sms_status", to, notification.params.get("status", ""), notification)


@receiver(signals.fax_received)
def on_fax_received(notification: Notification, fax: Fax, **kwargs: Any) -> None:
    # The document is at `fax.fax_url`, for whoever holds that link: fetch it, and do not print it.
    tell("fax_received", f"{fax.from_number} → {fax.to_number}", outcome(fax), notification)


@receiver(signals.fax_status)
def on_fax_status(notification: Notification, fax: Fax, **kwargs: Any) -> None:
    tell("fax_status", f"→ {fax.dest}", outcome(fax), notification)


@receiver(signals.ivr_answer)
def on_ivr_answer(notification: Notification, call: Call, **kwargs: Any) -> None:
    # It rings until the next block is sent to `notification.session`.
    tell("ivr_answer", f"{call.from_number} → {call.to_number}", f"rings as {call.session}", notification)


@receiver(signals.ivr_dial)
def on_ivr_dial(notification: Notification, call: Call, **kwargs: Any) -> None:
    tell("ivr_dial", f"{call.session} → {call.dest}", call.dial_status, notification)


@receiver(signals.ivr_gather)
def on_ivr_gather(notification: Notification, **kwargs: Any) -> None:
    # Keys are an event and no state: they are in the notification, and empty where none was pressed in time.
    digits = notification.params.get("digits") or "nothing"
    tell("ivr_gather", notification.session, f"pressed {digits}", notification)


@receiver(signals.ivr_record)
def on_ivr_record(notification: Notification, **kwargs: Any) -> None:
    # The recording is at `notification.params["record_url"]`, a secret as the link to a fax is.
    tell("ivr_record", notification.session, "left a message", notification)


@receiver(signals.ivr_transfer)
def on_ivr_transfer(notification: Notification, call: Call, **kwargs: Any) -> None:
    tell("ivr_transfer", call.session, f"handed on, {call.transfer_status}", notification)


@receiver([signals.ivr_play, signals.ivr_monitor, signals.ivr_hangup, signals.ivr_unhold, signals.ivr_step])
def on_other_ivr_block(notification: Notification, **kwargs: Any) -> None:
    tell(notification.kind, notification.session, "done", notification)


@receiver(signals.ivr_ended)
def on_ivr_ended(notification: Notification, call: Call | None, **kwargs: Any) -> None:
    # The end may come without a reference and a session, and then nothing tells which call is over.
    tell("ivr_ended", notification.session, cost(call) if call else "", notification)


@receiver(signals.unknown)
def on_unknown(notification: Notification, **kwargs: Any) -> None:
    tell("unknown", "?", "look at it in the admin", notification)


def cost(row: Call | Fax) -> str:
    """Say how long it took and what it cost, as far as Hoiio told."""
    price = "" if row.debit is None else f", {row.currency} {row.debit:.3f}"
    return f"{row.duration or 0} min{price}"


def outcome(fax: Fax) -> str:
    return f"{fax.fax_status}: {fax.fax_error_code}" if fax.fax_error_code else f"{fax.fax_status}, {cost(fax)}"


def tell(signal: str, who: str, what: str, notification: Notification) -> None:
    """Print a line, and at its end the pass-on parameters: what the project itself put into its notify URL."""
    pass_on = " ".join(f"{name}={value}" for name, value in notification.pass_on.items())
    line = f"{signal:<17} {who:<28} {what}  {pass_on}".rstrip()
    # Anybody may have written the text: control characters must not reach the terminal.
    printable = "".join(character if character.isprintable() else " " for character in line)
    print(printable, flush=True)

"""Receivers of the example project: print a line for each notification, and answer SMS. `flows` answers calls.

A receiver runs after its notification is stored. `sms`, `call` or `fax` is the row that the notification updated, and
`None` if it names no transaction. A receiver that raises is recorded in the admin and does not stop the others.
Hoiio waits until all receivers have finished, so run long work in a task.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.dispatch import receiver

from django_hoiio import signals
from django_hoiio.models import Call, Fax, Notification, Sms

from .client import hoiio_client

# Characters in each part of a long SMS. The last part may have fewer.
PART = 152


# SMS, faxes, and calls between two numbers.


@receiver(signals.sms_received)
def on_sms_received(notification: Notification, sms: Sms, **kwargs: Any) -> None:
    print_line("sms_received", f"{sms.from_number} → {sms.to_number}", f'"{sms.msg}"', notification)
    # An answer costs money. Send one per SMS, even if it is repeated or in parts. A sender name cannot be answered.
    if sms.from_number.startswith("+") and not notification.is_repeat and not is_continued(sms):
        with hoiio_client() as client:
            client.sms.send(dest=sms.from_number, msg="Thank you. We call you back.", pass_on={"answer_to": sms.pk})


def is_continued(sms: Sms) -> bool:
    """Return whether an SMS continues a long text: it has the same reference, or is within a minute of a long part."""
    before = Sms.objects.filter(direction="incoming", remote_number=sms.remote_number, pk__lt=sms.pk)
    recent = before.filter(created_at__gt=sms.created_at - timedelta(minutes=1)).values_list("txn_ref", "msg")
    return any(txn_ref == sms.txn_ref or max(len(msg), len(sms.msg)) >= PART for txn_ref, msg in recent)


@receiver(signals.sms_status)
def on_sms_status(notification: Notification, sms: Sms, **kwargs: Any) -> None:
    # `notification.params` has this report. `sms` has the latest state, whatever the order of the notifications.
    print_line("sms_status", f"→ {sms.dest}", sms.sms_status, notification)


@receiver(signals.bulk_sms_status)
def on_bulk_sms_status(notification: Notification, sms: Sms | None, **kwargs: Any) -> None:
    # A refused message may have no reference or number, and then it has no row.
    to = notification.params.get("dest", "?")
    print_line("bulk_sms_status", f"→ {to}", notification.params.get("status", ""), notification)


@receiver(signals.fax_received)
def on_fax_received(notification: Notification, fax: Fax, **kwargs: Any) -> None:
    # The document is at `fax.fax_url`, and anybody with that link can read it: fetch it, and do not print it.
    print_line("fax_received", f"{fax.from_number} → {fax.to_number}", outcome(fax), notification)


@receiver(signals.fax_status)
def on_fax_status(notification: Notification, fax: Fax, **kwargs: Any) -> None:
    print_line("fax_status", f"→ {fax.dest}", outcome(fax), notification)


@receiver(signals.call_ended)
def on_call_ended(notification: Notification, call: Call, **kwargs: Any) -> None:
    # A leg of a conference has one number. Any other call has two, and a status for each.
    if call.dest:
        who, how = f"→ {call.dest}", call.call_status
    else:
        who, how = f"{call.dest1} → {call.dest2}", f"{call.call_status_dest1}/{call.call_status_dest2}"
    print_line("call_ended", who, f"{how}, {cost(call)}", notification)


# Interactive calls: one notification for each block that ended. The flow has already sent the next block.


@receiver(signals.ivr_answer)
def on_ivr_answer(notification: Notification, call: Call, **kwargs: Any) -> None:
    print_line("ivr_answer", f"{call.from_number} → {call.to_number}", "rings", notification)


@receiver(signals.ivr_gather)
def on_ivr_gather(notification: Notification, call: Call | None, **kwargs: Any) -> None:
    # The keys are only in the notification, not in the row. They are empty if none was pressed in time.
    digits = notification.params.get("digits", "")
    print_line("ivr_gather", party(call), f"pressed {digits or 'nothing'}", notification)


@receiver(signals.ivr_record)
def on_ivr_record(notification: Notification, call: Call | None, **kwargs: Any) -> None:
    # The recording is at `notification.params["record_url"]`, which is secret like the link to a fax.
    print_line("ivr_record", party(call), "left a message", notification)


@receiver(signals.ivr_dial)
def on_ivr_dial(notification: Notification, call: Call, **kwargs: Any) -> None:
    print_line("ivr_dial", f"→ {call.dest}", call.dial_status, notification)


@receiver(signals.ivr_transfer)
def on_ivr_transfer(notification: Notification, call: Call, **kwargs: Any) -> None:
    print_line("ivr_transfer", party(call), f"transferred, {call.transfer_status}", notification)


@receiver([signals.ivr_play, signals.ivr_monitor, signals.ivr_hangup, signals.ivr_unhold, signals.ivr_step])
def on_other_ivr_block(notification: Notification, call: Call | None, **kwargs: Any) -> None:
    print_line(notification.kind, party(call), "done", notification)


@receiver(signals.ivr_ended)
def on_ivr_ended(notification: Notification, call: Call | None, **kwargs: Any) -> None:
    # Without a reference and a session, it is unknown which call has ended.
    print_line("ivr_ended", party(call), cost(call) if call else "", notification)


# All other notifications.


@receiver(signals.unknown)
def on_unknown(notification: Notification, **kwargs: Any) -> None:
    print_line("unknown", "?", "look at it in the admin", notification)


def party(call: Call | None) -> str:
    """Return the remote party."""
    return (call.remote_number or call.session) if call else "?"


def cost(row: Call | Fax) -> str:
    """Return the duration and the price, if Hoiio reported one."""
    price = "" if row.debit is None else f", {row.currency} {row.debit:.3f}"
    return f"{row.duration or 0} min{price}"


def outcome(fax: Fax) -> str:
    return f"{fax.fax_status}: {fax.fax_error_code}" if fax.fax_error_code else f"{fax.fax_status}, {cost(fax)}"


def print_line(signal: str, who: str, what: str, notification: Notification) -> None:
    """Print a line that ends with the pass-on parameters, which the project put into its notify URL."""
    pass_on = " ".join(f"{name}={value}" for name, value in notification.pass_on.items())
    line = f"{signal:<17} {who:<28} {what}  {pass_on}".rstrip()
    # The text is untrusted: control characters must not reach the terminal.
    printable = "".join(character if character.isprintable() else " " for character in line)
    print(printable, flush=True)

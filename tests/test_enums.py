from __future__ import annotations

from typing import Any

import pytest

from django_hoiio import signals
from django_hoiio.enums import BLOCKS, KNOWN_STATUSES, Kind, Rank, rank_of, rank_of_acceptance
from django_hoiio.receivers import receivers_of
from django_hoiio.signals import SIGNALS, NotificationSignal

DOCUMENTED = [
    "call_ended",
    "sms_received",
    "sms_status",
    "bulk_sms_status",
    "fax_received",
    "fax_status",
    "ivr_answer",
    "ivr_dial",
    "ivr_play",
    "ivr_gather",
    "ivr_record",
    "ivr_monitor",
    "ivr_transfer",
    "ivr_hangup",
    "ivr_unhold",
    "ivr_step",
    "ivr_ended",
    "unknown",
]


def test_kinds_and_signals_have_the_same_names() -> None:
    assert sorted(Kind.values) == sorted(DOCUMENTED)
    assert {kind: getattr(signals, kind.value) for kind in Kind} == SIGNALS
    assert all(isinstance(signal, NotificationSignal) for signal in SIGNALS.values())
    assert len(set(map(id, SIGNALS.values()))) == len(Kind)


def test_signals_are_sent_in_order_and_the_one_for_all_is_last() -> None:
    def listen(**arguments: Any) -> None:
        """Connected to all signals."""

    every = (*SIGNALS.values(), signals.notification_received)
    for signal in every:
        signal.connect(listen)
    called = [(name, receiver.function) for name, receiver in receivers_of((Kind.IVR_RECORD, Kind.IVR_ENDED), object)]
    for signal in every:
        signal.disconnect(listen)

    assert called == [("ivr_record", listen), ("ivr_ended", listen), ("notification_received", listen)]


def test_ivr_kinds_are_those_in_which_a_caller_may_wait() -> None:
    assert {kind for kind in Kind if kind.is_ivr} == {*BLOCKS.values(), Kind.IVR_STEP, Kind.IVR_ENDED}


@pytest.mark.parametrize("parameter", KNOWN_STATUSES)
def test_only_statuses_of_begun_and_ongoing_are_not_final(parameter: str) -> None:
    not_final = {"queued": Rank.ONGOING, "ongoing": Rank.ONGOING, "ringing": Rank.BEGUN}

    assert {word: rank_of(parameter, word) for word in KNOWN_STATUSES[parameter]} == {
        word: not_final.get(word, Rank.FINAL) for word in KNOWN_STATUSES[parameter]
    }
    assert rank_of(parameter, "martian") == Rank.ONGOING


@pytest.mark.parametrize("words", [("sms_status", "answered"), ("call_state", "delivered"), ("fax_status", "ended")])
def test_status_of_another_parameter_is_not_final(words: tuple[str, str]) -> None:
    assert rank_of(*words) == Rank.ONGOING


def test_refusal_of_a_bulk_message_is_final_and_acceptance_a_beginning() -> None:
    assert (rank_of_acceptance("error_dest_not_supported"), rank_of_acceptance("success_ok")) == (
        Rank.FINAL,
        Rank.BEGUN,
    )

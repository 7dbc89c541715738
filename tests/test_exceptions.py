from __future__ import annotations

import pickle

import pytest

from django_hoiio import exceptions
from django_hoiio.exceptions import (
    ConnectionFailed,
    HoiioError,
    InsufficientCredit,
    InvalidCredentials,
    InvalidParameter,
    InvalidState,
    NotPermitted,
    RateLimited,
    ServerError,
    error_for,
    is_status,
)

# All status words of Hoiio's manuals and SDKs, by exception.
KNOWN_STATUSES = {
    InvalidParameter: """
        error_invalid_http_method error_malformed_params error_dest_param_missing error_msg_param_missing
        error_invalid_notify_url error_unable_to_resolve_notify_url error_tag_invalid_length
        error_dest1_invalid error_dest2_invalid error_dest1_not_supported error_dest2_not_supported
        error_same_dest1_dest2 error_caller_id_invalid error_max_duration_invalid error_invalid_max_duration
        error_dest_invalid error_dest_not_supported error_dest_too_many error_invalid_room
        error_invalid_txn_ref error_txn_ref_invalid
        error_from_invalid error_to_invalid error_to_before_from error_page_invalid error_invalid_type
        error_msg_empty error_msg_too_big error_invalid_sender_name
        error_file_invalid error_file_too_big error_page_size_invalid
        error_invalid_session
        error_msg_invalid_length error_msg_invalid_xml error_msg_invalid_url error_msg_invalid_language
        error_msg_invalid_gender error_msg_invalid_file_format error_msg_invalid_file_size
        error_msg_download_failed error_msg_cannot_convert_text
        error_invalid_max_digits error_invalid_timeout error_invalid_attempts error_on_failure_invalid
        error_number_invalid error_forward_to_invalid error_unable_to_resolve_forward_to error_mode_invalid
        error_incoming_sms_not_supported
        error_dest_incoming_both_missing error_dest_incoming_both_present error_invalid_duration
        error_number_not_available error_subscribe_number_not_available error_pick_number_not_available
        error_no_number_available error_auto_extend_not_available
    """,
    InvalidCredentials: "error_invalid_access_token error_invalid_app_id",
    InsufficientCredit: "error_insufficient_credit",
    NotPermitted: """
        error_not_allowed_for_trial error_permission_denied error_developer_suspended error_txn_ref_access_denied
        error_session_access_denied error_sms_rebrand_not_enabled error_number_not_assigned
        error_exceed_max_subscriptions
    """,
    InvalidState: """
        error_session_ended error_session_not_ready error_session_not_on_hold error_monitor_in_progress
    """,
    RateLimited: "error_rate_limit_exceeded error_concurrent_call_limit_reached",
    ServerError: "error_internal_server_error error_service_not_available error_add_notification_failed",
    # Undocumented statuses raise the base class.
    HoiioError: "error_of_tomorrow success_partly queued",
}


@pytest.mark.parametrize(
    ("meaning", "word"), [(meaning, word) for meaning in KNOWN_STATUSES for word in KNOWN_STATUSES[meaning].split()]
)
def test_status_raises_the_exception_for_its_remedy(meaning: type[HoiioError], word: str) -> None:
    error = error_for("sms/send", word)

    assert (type(error), error.status) == (meaning, word)
    unknown = ", an unknown status" if meaning is HoiioError else ""
    assert str(error).startswith(f"Hoiio refused sms/send with {word}{unknown}; ")
    assert str(error) == error.message
    assert error.may_have_happened == (meaning is ServerError)


@pytest.mark.parametrize("meaning", [*KNOWN_STATUSES, ConnectionFailed])
def test_one_exception_catches_all(meaning: type[HoiioError]) -> None:
    assert issubclass(meaning, HoiioError)
    assert meaning.__doc__


def test_message_contains_the_remedy() -> None:
    assert str(error_for("voice/call", "error_insufficient_credit")) == (
        "Hoiio refused voice/call with error_insufficient_credit; top up the account."
    )
    assert str(error_for("voice/call", "error_of_tomorrow")) == (
        "Hoiio refused voice/call with error_of_tomorrow, an unknown status; look it up in Hoiio's manual."
    )


@pytest.mark.parametrize(
    "status", ["", "token for +6591234567", "a" * 65, "error\n", "<html>", "200", 200, None, ["a"]]
)
def test_text_that_is_no_status_word_is_not_a_status(status: object) -> None:
    assert is_status("error_msg_empty")
    assert not is_status(status)


@pytest.mark.parametrize(
    "error",
    [error_for("sms/send", "error_msg_empty"), ConnectionFailed("", "No answer.", may_have_happened=False)],
    ids=["refused", "not reachable"],
)
def test_error_can_be_pickled(error: HoiioError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_exceptions_are_all_named_in_the_table_or_raised_by_the_connection() -> None:
    raised = {meaning for _, meaning, _ in exceptions._MEANINGS} | {HoiioError, ConnectionFailed}

    assert raised == set(KNOWN_STATUSES) | {ConnectionFailed}

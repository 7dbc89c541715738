"""Exceptions of the client, grouped by how a caller can handle them."""

from __future__ import annotations

import re

__all__ = [
    "ConnectionFailed",
    "HoiioError",
    "InsufficientCredit",
    "InvalidCredentials",
    "InvalidParameter",
    "InvalidState",
    "NotPermitted",
    "RateLimited",
    "ServerError",
]


class NotInAFlow(Exception):
    """The flow of a phone menu did something outside of `call.once` that it would do again each time that it runs."""


class HoiioError(Exception):
    """A request to Hoiio failed. Raised directly for an unknown status.

    `status` is Hoiio's status word, empty if there is none. `message` is the cause and the remedy. Neither ever
    contains a token, a number or a text.
    """

    #: True if Hoiio may have executed the request, so that a retry could call, send and charge twice.
    may_have_happened = False

    def __init__(self, status: str, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidParameter(HoiioError):
    """A parameter is invalid; the status names it. Change it before a retry."""


class InvalidCredentials(HoiioError):
    """Hoiio does not know the app id or the access token."""


class InsufficientCredit(HoiioError):
    """The account has too little credit."""


class NotPermitted(HoiioError):
    """The account may not do this, or not with this number, call or SMS."""


class InvalidState(HoiioError):
    """The interactive call has ended or does not allow this block now."""


class RateLimited(HoiioError):
    """Too many requests, or too many concurrent calls. Wait before a retry."""


class ServerError(HoiioError):
    """Hoiio has an internal error."""

    may_have_happened = True


class ConnectionFailed(HoiioError):
    """Hoiio did not answer: no connection, a time-out, or a response that is not Hoiio's."""

    def __init__(self, status: str, message: str, *, may_have_happened: bool = True) -> None:
        super().__init__(status, message)
        self.may_have_happened = may_have_happened


# Hoiio's status words, their exceptions and their remedies. The first pattern that matches the whole word counts. Hoiio
# has two spellings of some words, such as error_invalid_txn_ref and error_txn_ref_invalid.
_MEANINGS: tuple[tuple[str, type[HoiioError], str], ...] = (
    ("error_rate_limit_exceeded", RateLimited, "wait a minute before the next one"),
    ("error_concurrent_call_limit_reached", RateLimited, "wait until a call or a fax has ended"),
    ("error_insufficient_credit", InsufficientCredit, "top up the account"),
    ("error_invalid_(access_token|app_id)", InvalidCredentials, "check APP_ID and ACCESS_TOKEN in HOIIO['ACCOUNTS']"),
    ("error_(internal_server_error|service_not_available|add_notification_failed)", ServerError, "try again later"),
    ("error_session_(ended|not_ready|not_on_hold)", InvalidState, "wait for the notification of the block before"),
    ("error_invalid_session", InvalidParameter, "use the session of a call that has not ended"),
    ("error_monitor_in_progress", InvalidState, "the call is monitored already"),
    ("error_(txn_ref|session)_access_denied", NotPermitted, "use the account that owns it"),
    ("error_number_not_assigned", NotPermitted, "use the account that owns the number"),
    ("error_not_allowed_for_trial", NotPermitted, "a trial account may not do this"),
    ("error_(permission_denied|developer_suspended|sms_rebrand_not_enabled)", NotPermitted, "ask Hoiio to allow it"),
    ("error_exceed_max_subscriptions", NotPermitted, "ask Hoiio to allow it"),
    (".*_(param|both)_missing", InvalidParameter, "add the parameter that the status names"),
    (".*_unable_to_resolve_.*|error_.*_not_supported", InvalidParameter, "use another one"),
    ("error_(.*_)?(number|auto_extend)_(not_)?available", InvalidParameter, "use another one"),
    (
        "error_(.*_)?(invalid|malformed|empty|too_big|too_many|download_failed|cannot_convert)(_.*)?",
        InvalidParameter,
        "change what the status names",
    ),
    ("error_same_dest1_dest2|error_to_before_from|.*_both_present", InvalidParameter, "change what the status names"),
)

# Any other text in `status` is not a status word and may be a secret.
_WORD = re.compile("[a-z][a-z0-9_]{0,63}", re.ASCII)


def is_status(status: object) -> bool:
    """Return whether a value looks like one of Hoiio's status words."""
    return isinstance(status, str) and _WORD.fullmatch(status) is not None


def error_for(path: str, status: str) -> HoiioError:
    """Return the exception for a status other than success_ok."""
    for pattern, meaning, advice in _MEANINGS:
        if re.fullmatch(pattern, status):
            return meaning(status, f"Hoiio refused {path} with {status}; {advice}.")
    return HoiioError(status, f"Hoiio refused {path} with {status}, an unknown status; look it up in Hoiio's manual.")

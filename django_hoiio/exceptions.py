"""What can go wrong with a request to Hoiio, by what the caller can do about it."""

from __future__ import annotations

import re


class HoiioError(Exception):
    """Hoiio did not do what it was asked to; also what it says with a word that is not known here.

    `status` is Hoiio's word, empty where none came. `sentence` says what happened and what to do. Neither ever
    holds a token, a number or a text.
    """

    # True where it may have been done all the same, so that a second try could call, send and charge twice.
    may_have_happened = False

    def __init__(self, status: str, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidParameter(HoiioError):
    """Something in the request is wrong; the status names it. Change it before trying again."""


class InvalidCredentials(HoiioError):
    """Hoiio does not know the app id, or not the access token."""


class InsufficientCredit(HoiioError):
    """The account cannot pay for it."""


class NotPermitted(HoiioError):
    """The account may not do this, or not with this number, call or SMS."""


class InvalidState(HoiioError):
    """The interactive call is over, or not at the point where this can be done."""


class RateLimited(HoiioError):
    """Too many requests or calls at once. Wait before trying again."""


class ServerError(HoiioError):
    """Something is wrong at Hoiio."""

    may_have_happened = True


class ConnectionFailed(HoiioError):
    """No answer came that is Hoiio's: no connection, none in time, or something else that answered."""

    def __init__(self, status: str, message: str, *, may_have_happened: bool = True) -> None:
        super().__init__(status, message)
        self.may_have_happened = may_have_happened


# Hoiio's words, what they are raised as, and what to do. The first pattern that matches the whole word counts; Hoiio
# spells some words in two orders, error_invalid_txn_ref and error_txn_ref_invalid.
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
    (".*_param_missing", InvalidParameter, "add the parameter that the status names"),
    (".*_unable_to_resolve_.*|error_.*_not_supported", InvalidParameter, "use another one"),
    (
        "error_(.*_)?(invalid|malformed|empty|too_big|too_many|download_failed|cannot_convert)(_.*)?",
        InvalidParameter,
        "change what the status names",
    ),
    ("error_same_dest1_dest2|error_to_before_from", InvalidParameter, "change what the status names"),
)

# Anything else that stands in `status` is nobody's word, and may be a secret.
_WORD = re.compile("[a-z][a-z0-9_]{0,63}", re.ASCII)


def is_status(status: object) -> bool:
    """Whether a status looks like one of Hoiio's words."""
    return isinstance(status, str) and _WORD.fullmatch(status) is not None


def error_for(path: str, status: str) -> HoiioError:
    """What to raise when Hoiio answered a call of `path` with another word than success_ok."""
    for pattern, meaning, advice in _MEANINGS:
        if re.fullmatch(pattern, status):
            return meaning(status, f"Hoiio refused {path} with {status}; {advice}.")
    return HoiioError(status, f"Hoiio refused {path} with {status}, an unknown status; look it up in Hoiio's manual.")

"""Interactive calls: run the blocks that the application requests and post their notifications."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from django_hoiio.enums import BLOCKS as KINDS
from django_hoiio.enums import Direction, Kind

from .calls import after, close, cost, hang_up, move, refuse
from .errors import ApiError
from .exchange import CallHandlers, LiveCall
from .records import State
from .samples import Params, parameters_of

# Characters.
MAX_MSG_LENGTH = 1000

_TAG = re.compile(r"<(/?)(speech|url)((?:\s+\w+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*)\s*>")
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}


def spoken_text(msg: str) -> str:
    """Return the text of a message, with links for sound files. Raise `ApiError` if Hoiio would refuse it."""
    if len(msg) > MAX_MSG_LENGTH:
        raise ApiError("error_msg_invalid_length")
    _check_markup(msg)
    text = _TAG.sub(" ", re.sub(r"<url>\s*(\S*?)\s*</url>", r"♪ \1 ", msg))
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return " ".join(text.split())


def _check_markup(msg: str) -> None:
    opened: list[str] = []
    for closing, name, attributes in _TAG.findall(msg):
        if not closing:
            opened.append(name)
            _check_attributes(dict(_ATTRIBUTE.findall(attributes)))
        elif not opened or opened.pop() != name:
            raise ApiError("error_msg_invalid_xml")
    if opened or "<" in _TAG.sub("", msg):
        raise ApiError("error_msg_invalid_xml")
    for url in re.findall(r"<url>(.*?)</url>", msg, re.S):
        _check_sound(url.strip())


def _check_attributes(given: dict[str, str]) -> None:
    if not _LANGUAGE.fullmatch(given.get("language", "en")):
        raise ApiError("error_msg_invalid_language")
    if given.get("gender", "female") not in ("female", "male"):
        raise ApiError("error_msg_invalid_gender")


def _check_sound(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ApiError("error_msg_invalid_url") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ApiError("error_msg_invalid_url")
    if not parts.path.lower().endswith((".mp3", ".wav", ".gsm")):
        raise ApiError("error_msg_invalid_file_format")


# A simulated remote party records this message, and hangs up if no block follows within this many seconds.
MESSAGE = "This is a message from the sandbox."
NEXT_BLOCK_TIMEOUT = 60

# Default timeouts in seconds.
GATHER_TIMEOUT, RECORD_TIMEOUT = 15, 120


def begin(call: LiveCall, block: str, params: Mapping[str, str]) -> None:
    """Begin a block. Raise `ApiError` if the call is not ready for it or its message is invalid."""
    _check_ready(call, block, is_forced=params.get("force") == "enabled")
    text = spoken_text(params.get("msg", ""))
    if call.state == State.RINGING and block != "hangup":
        call.write("call", text="The application answers.")
        call.answered_at = call.exchange.now()
    call.block_params = params
    if block != "hold":
        call.block, call.tag, call.notify_url = block, params.get("tag", ""), params.get("notify_url", "")
    if block == "monitor":
        call.monitor_url, call.monitor_tag = params.get("monitor_notify_url") or call.notify_url, call.tag
    if block in _DURING_SPEECH:
        _say(call, text)
        _DURING_SPEECH[block](call, _speaking_time(call, text))
    else:
        _play(call, text, _AFTER_SPEECH[block])


def _check_ready(call: LiveCall, block: str, *, is_forced: bool) -> None:
    if call.is_over:
        raise ApiError("error_session_ended")
    if block == "unhold" and call.state != State.HELD:
        raise ApiError("error_session_not_on_hold")
    if block == "monitor" and call.monitor_url:
        raise ApiError("error_monitor_in_progress")
    if not (call.is_ready or block == "unhold" or (block == "hangup" and is_forced)):
        raise ApiError("error_session_not_ready")


def _play(call: LiveCall, text: str, then: Callable[[LiveCall], None]) -> None:
    """Say the text, and go on when it has been spoken."""
    _say(call, text)
    move(call, State.PLAYING)
    seconds = _speaking_time(call, text)
    if seconds:
        after(seconds, call, then)
    else:
        then(call)


def _say(call: LiveCall, text: str) -> None:
    if text:
        call.write("spoken", text=text)


def _speaking_time(call: LiveCall, text: str) -> float:
    """Return the seconds that the person listens. A simulated party does not listen."""
    return call.exchange.line.speaking_time(text) if call.person and text else 0


# The start of each block.


def _gather(call: LiveCall, speaking_time: float) -> None:
    call.digits, call.max_digits = "", int(call.block_params.get("max_digits") or 0)
    call.attempts = int(call.block_params.get("attempts") or 1)
    move(call, State.GATHERING)
    if call.person:
        _await_keys(call, speaking_time)
    else:
        press(call, "1" * (call.max_digits or 1) + "#")


def _await_keys(call: LiveCall, speaking_time: float = 0) -> None:
    after(speaking_time + float(call.block_params.get("timeout") or GATHER_TIMEOUT), call, _no_key)


def _no_key(call: LiveCall) -> None:
    call.attempts -= 1
    if call.digits or call.attempts <= 0:
        _finish(call, digits=call.digits)
    else:
        text = spoken_text(call.block_params.get("msg", ""))
        _say(call, text)
        call.step += 1
        _await_keys(call, _speaking_time(call, text))


def _record(call: LiveCall, speaking_time: float) -> None:
    move(call, State.RECORDING)
    if call.person:
        limit = float(call.block_params.get("max_duration") or RECORD_TIMEOUT)
        after(speaking_time + limit, call, lambda full: speak(full, ""))
    else:
        speak(call, MESSAGE)


def _hold(call: LiveCall, speaking_time: float) -> None:
    move(call, State.HELD)


def _transfer(call: LiveCall) -> None:
    dest = call.block_params["dest"]
    call.write("call", text=f"Transferred to {dest}.")
    move(call, State.TRANSFERRING)
    outcome = "answered" if dest.startswith("room:") else call.exchange.line.call_outcome(dest)
    if outcome:
        far_end(call, outcome)


def far_end(call: LiveCall, outcome: str) -> None:
    """Let the number that the caller is transferred to answer, or not."""
    if outcome in ("answered", "ongoing"):
        move(call, State.TRANSFERRED)
        _notify(call, Kind.IVR_TRANSFER, {"transfer_status": "answered"}, is_next=False)
        if not call.person and outcome == "answered":
            hang_up(call)
    elif call.block_params.get("on_failure") == "continue":
        _finish(call, transfer_status=outcome)
    else:
        call.write("call", text="The call is over.")
        _end(call, Kind.IVR_TRANSFER, transfer_status=outcome)


def _hang_up(call: LiveCall) -> None:
    call.write("call", text="The application hung up.")
    _end(call, Kind.IVR_HANGUP)


def _done(call: LiveCall) -> None:
    _finish(call)


# Blocks in which the person may act while the message is spoken, with the seconds that it takes.
_DURING_SPEECH: dict[str, Callable[[LiveCall, float], None]] = {"gather": _gather, "record": _record, "hold": _hold}

_AFTER_SPEECH: dict[str, Callable[[LiveCall], None]] = {
    "play": _done,
    "monitor": _done,
    "unhold": _done,
    "transfer": _transfer,
    "hangup": _hang_up,
}


# Actions of the remote party.


def press(call: LiveCall, keys: str) -> None:
    """Press keys. `#` ends a recording; `#` or the last of `max_digits` ends a gather block."""
    for key in keys:
        if call.state == State.RECORDING and key == "#":
            speak(call, "")
        elif call.state == State.GATHERING:
            _gather_key(call, key)


def _gather_key(call: LiveCall, key: str) -> None:
    if key != "#":
        call.digits += key
        call.step += 1
        call.exchange.touch()
    if key == "#" or len(call.digits) == call.max_digits:
        _finish(call, digits=call.digits)
    elif call.person:
        _await_keys(call)


def speak(call: LiveCall, text: str) -> None:
    """End the recording with this text."""
    call.write("recorded", text=text)
    _finish(call, record_url=_recording(call, "rec", text))


# Changes of the call and their notifications.


def _answered(call: LiveCall) -> None:
    _play(call, call.greeting, lambda greeted: _finish(greeted, dial_status="answered"))


def _refused(call: LiveCall, status: str) -> None:
    _notify(call, Kind.IVR_DIAL, {"dial_status": status})


def _over(call: LiveCall) -> None:
    """End the call. The result of an unfinished block is reported with the end."""
    result = _RESULTS.get(call.state)
    if call.state == State.RINGING and call.direction == Direction.OUTGOING:
        refuse(call, "unanswered")
    elif result is None:
        _end(call, Kind.IVR_ENDED)
    else:
        _end(call, KINDS[call.block], **result(call))


# Results of blocks whose message was not spoken to the end.
_INTERRUPTED = {"dial": {"dial_status": "answered"}, "transfer": {"transfer_status": "unanswered"}}

_RESULTS: dict[State, Callable[[LiveCall], Params]] = {
    State.GATHERING: lambda call: {"digits": call.digits},
    State.RECORDING: lambda call: {"record_url": _recording(call, "rec", "")},
    State.PLAYING: lambda call: _INTERRUPTED.get(call.block, {}),
    State.TRANSFERRING: lambda call: {"transfer_status": "unanswered"},
    State.TRANSFERRED: lambda call: {"transfer_status": "answered"},
}


def _finish(call: LiveCall, **result: str) -> None:
    """Finish a block and wait for the next one. Without a notify URL no block can follow, so end the call."""
    if not call.notify_url:
        call.write("call", text="The call is over.")
        _end(call, KINDS[call.block], **result)
        return
    move(call, State.ONGOING)
    _notify(call, KINDS[call.block], result)
    if not call.person:
        after(NEXT_BLOCK_TIMEOUT, call, hang_up)


def _end(call: LiveCall, kind: Kind, **result: str) -> None:
    close(call, "answered" if call.answered_at else "unanswered")
    _notify(call, kind, result)
    if call.monitor_url:
        facts = {**_facts(call, call.monitor_tag), "monitor_url": _recording(call, "mon", "")}
        del facts["call_state"]
        call.exchange.notify(call.transaction.account, call.monitor_url, _parameters(call, Kind.IVR_MONITOR, facts))


def _notify(call: LiveCall, kind: Kind, result: Params | None = None, *, is_next: bool = True) -> None:
    """Notify the application, which may then begin the next block."""
    facts = {**_facts(call, call.tag), **(result or {}), **(cost(call) if call.is_over else {})}
    params = _parameters(call, kind, facts)
    call.exchange.notify(call.transaction.account, call.notify_url, params, call=call if is_next else None)


def _parameters(call: LiveCall, kind: Kind, facts: Params) -> Params:
    params = parameters_of(kind, facts)
    if call.exchange.faults.unnamed_blocks:
        params.pop("ivr_block", None)
    return params


def _facts(call: LiveCall, tag: str) -> Params:
    """Return what all notifications report. A block without a tag has that of the call."""
    return {
        **call.parties,
        "session": call.session,
        "txn_ref": call.transaction.txn_ref,
        "tag": tag or call.transaction.details["tag"],
        "call_state": _STATES.get(call.state, "ongoing"),
    }


_STATES = {State.RINGING: "ringing", State.ENDED: "ended"}


def announce(call: LiveCall) -> None:
    """Notify the application of an incoming call."""
    _notify(call, Kind.IVR_ANSWER)


def _recording(call: LiveCall, sort: str, text: str) -> str:
    """Store a recording as its spoken text and return the link."""
    name = f"{call.exchange.reference(f'{sort}-')}.mp3"
    return call.exchange.store_file(name, "text/plain; charset=utf-8", text.encode())


INTERACTIVE = CallHandlers(answered=_answered, refused=_refused, over=_over)

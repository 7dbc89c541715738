"""Advance the flow of a call: one process at a time, by all notifications that have arrived."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial, wraps
from typing import Any, TypeVar

from django.db import Error, connections, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from django_hoiio.client import HoiioClient
from django_hoiio.database import retry_transient
from django_hoiio.dispatch import record_failure
from django_hoiio.enums import Kind
from django_hoiio.exceptions import HoiioError, InvalidState
from django_hoiio.logs import get_logger
from django_hoiio.models import Call as CallRow
from django_hoiio.models import IvrRun, Notification
from django_hoiio.notify_urls import check_json
from django_hoiio.parsing.parameters import PARAMETERS
from django_hoiio.parsing.parameters import read as read_params
from django_hoiio.retention.redaction import redacted_steps

from . import flows
from .blocks import ENDPOINTS, RESULTS, Answer, Block
from .call import BlockFailed, Call, in_once
from .replay import FlowChanged, replay

logger = get_logger(__name__)

Given = TypeVar("Given")
Result = TypeVar("Result")

# A process advances a run for this long at most; then another one takes over.
LEASE = timedelta(seconds=10)

# Seconds to connect to Hoiio, and between two pieces of the response: the caller waits.
TIMEOUTS = (2.0, 5.0)

# Seconds between two looks at a run that another process advances.
POLL_SECONDS = 0.05

# A step that takes longer is logged.
SLOW = timedelta(seconds=1)

# Hoiio keeps no call for longer after its last notification that it is worth going on.
MAX_AGE = timedelta(hours=1)


class LeaseLost(BaseException):
    """Another process has taken over the run, because this one took too long. No flow may catch it."""


def take_up(notification: Notification, **kwargs: Any) -> None:
    """Advance the run of a notification, if its call has a flow."""
    pk = _run_of(notification)
    if pk is not None:
        advance(pk)


def recover() -> int:
    """Continue the phone menus whose process has ended; return how many. Safe to repeat and to run concurrently."""
    now = timezone.now()
    abandoned = {*IvrRun.objects.on_primary().abandoned(now).values_list("pk", flat=True), *_missed(now)}
    for pk in abandoned:
        _take_over(pk)
    return len(abandoned)


def _missed(now: datetime) -> Iterator[int]:
    """Yield the runs with a notification whose process ended before it could take it up. Create those that lack."""
    runs = IvrRun.objects.on_primary()
    pending = (
        Notification.objects.on_primary()
        .pending()
        .filter(
            kind__in=[kind for kind in Kind if kind.is_ivr],
            received_at__range=(now - MAX_AGE, now - LEASE),
            redacted_at=None,
        )
    )
    of_session = runs.filter(account=OuterRef("account"), session=OuterRef("session"))
    found: list[Any] = list(
        pending.annotate(run=Subquery(of_session.values("pk")))
        .defer("query", "body", "headers")
        .order_by("received_at", "pk")
    )
    # They stay pending, for their other receivers, when the run has taken them up. So there may be many.
    going = runs.filter(is_over=False).only("seen").in_bulk({row.run for row in found})
    for row in found:
        flow = _flow_of(row) if row.run is None else ""
        if flow:
            yield _begin(row, flow)
        elif row.run in going and row.pk not in going[row.run].seen:
            yield row.run


def _take_over(pk: int) -> None:
    try:
        advance(pk)
    except (Error, KeyboardInterrupt):
        raise
    # One broken flow must not stop the others.
    except BaseException as error:  # noqa: BLE001
        seen = IvrRun.objects.on_primary().filter(pk=pk).values_list("seen", flat=True).first()
        last = Notification.objects.on_primary().filter(pk__in=seen or []).order_by("pk").last()
        if last is not None:
            record_failure(last, "ivr_flow", error)


@sensitive_variables()
def resume(call: CallRow | Call, value: Any = None) -> None:
    """End the hold of a call; its `await call.hold()` returns the value.

    Raises `ValueError` if the flow does not hold its caller, or the value is too long or not JSON, and `HoiioError`.
    If a process is advancing the flow, which may be about to hold the caller, it waits for that.
    """
    check_json("The value", value)
    run = _between_steps(call)
    last = run.steps[-1] if run and run.steps else {}
    if run is None or last.get("name") != "hold" or "answered_at" in last:
        raise ValueError(f"The flow of session {call.session} does not hold its caller.")
    with HoiioClient(run.account, timeouts=TIMEOUTS) as client:
        mark = {"run": run.pk, "step": len(run.steps), "name": "hold", "digest": last["digest"], "value": value}
        client.ivr._request(ENDPOINTS["unhold"], {"session": run.session}, block=mark)


def _between_steps(call: CallRow | Call) -> IvrRun | None:
    """Return the run of a call when no process advances it, or after `LEASE`."""
    until = time.monotonic() + LEASE.total_seconds()
    while True:
        run = IvrRun.objects.on_primary().filter(account=call.account, session=call.session or "").first()
        # A function of `once` would wait for its own flow.
        if run is None or run.leased_until is None or in_once.get() or time.monotonic() > until:
            return run
        time.sleep(POLL_SECONDS)


def _run_of(notification: Notification) -> int | None:
    """Return the key of the run of a notification, created if the call begins with it."""
    if "run" in notification.block:
        return int(notification.block["run"])
    flow = _flow_of(notification)
    if flow:
        return _begin(notification, flow)
    runs = IvrRun.objects.on_primary().filter(account=notification.account, session=notification.session or "")
    return runs.values_list("pk", flat=True).first()


def _flow_of(notification: Notification) -> str | None:
    """Return the name of the flow that begins with a notification."""
    if not notification.session or _has_ended(notification):
        return None
    if notification.kind == Kind.IVR_ANSWER:
        return flows.name_for(_number(notification, "to"))
    if notification.kind == Kind.IVR_DIAL and notification.params.get("dial_status") == "answered":
        return str(notification.block.get("flow", ""))
    return None


def _number(notification: Notification, name: str) -> str:
    """Return a number of the call, also if its row could not be stored. Costs a query only if Hoiio did not name it."""
    field = str(PARAMETERS[name].field)
    read, _ = read_params(notification.params)
    return read.get(field) or getattr(notification.call, field, None) or ""


def _begin(notification: Notification, flow: str) -> int:
    is_dialled = notification.kind == Kind.IVR_DIAL
    run, _ = IvrRun.objects.on_primary().get_or_create(
        account=notification.account,
        session=notification.session,
        defaults={
            "flow": flow,
            "call": notification.call,
            "from_number": _number(notification, "from"),
            "to_number": _number(notification, "dest" if is_dialled else "to"),
            "pass_on": dict(notification.pass_on),
            "started_at": notification.received_at,
        },
    )
    return run.pk


def advance(pk: int) -> None:
    """Take up what has arrived, until nothing is left. Leave at once if another process does it."""
    while True:
        leased = _lease(pk)
        if leased is None:
            if _leave_to_another(pk):
                return
            continue
        try:
            arrived = _arrived(leased)
            if _take(leased, arrived) and not leased.is_over:
                begun = max((each.received_at for each in arrived), default=timezone.now())
                _Advance(leased, begun).go()
        except LeaseLost as lost:
            logger.error("%s", lost)
            return
        except BaseException:
            leased.is_over = True
            raise
        finally:
            is_done = _release(leased)
        if is_done:
            return


def _retry(change: Callable[[], Result]) -> Result:
    """Change a run, and again after a deadlock, a serialization failure or a lost connection."""
    return retry_transient(change, connections[IvrRun.objects.on_primary().db])


def _retried(change: Callable[[Given], Result]) -> Callable[[Given], Result]:
    @wraps(change)
    def retried(of: Given) -> Result:
        return _retry(partial(change, of))

    return retried


@_retried
def _lease(pk: int) -> IvrRun | None:
    """Return the run, leased to this process; `None` if another one has it."""
    runs = IvrRun.objects.on_primary()
    now = timezone.now()
    until = now + LEASE
    connection = connections[runs.db]
    if connection.vendor == "mysql":
        free = runs.filter(pk=pk).unleased(now)
        return runs.get(pk=pk) if free.update(leased_until=until, has_waiting=False) else None
    # In one statement, because the caller waits.
    adapt = connection.ops.adapt_datetimefield_value
    sql = (
        "UPDATE django_hoiio_ivrrun SET leased_until = %s, has_waiting = FALSE"
        " WHERE id = %s AND (leased_until IS NULL OR leased_until < %s) RETURNING *"
    )
    return next(iter(runs.raw(sql, [adapt(until), pk, adapt(now)])), None)


@_retried
def _leave_to_another(pk: int) -> bool:
    """Let the process with the lease take up what has arrived. Return False if the lease has ended meanwhile."""
    run = IvrRun.objects.on_primary().filter(pk=pk)
    return bool(run.filter(leased_until__gte=timezone.now()).update(has_waiting=True)) or not run.exists()


@_retried
def _release(run: IvrRun) -> bool:
    """Store the run and end its lease. Return False if something has arrived that found the lease taken, and left."""
    held = _held(run)
    changes = {
        "steps": run.steps if run.redacted_at is None else redacted_steps(run.steps),
        "remembered": run.remembered,
        "seen": run.seen,
        "has_ended": run.has_ended,
        "is_over": run.is_over,
        "leased_until": None,
    }
    if held.filter(has_waiting=False).update(**changes):
        return True
    return not held.update(**changes, has_waiting=not run.is_over) or run.is_over


def _held(run: IvrRun) -> QuerySet[IvrRun]:
    """Return the row of a run, or none if another process has its lease."""
    return IvrRun.objects.on_primary().filter(pk=run.pk, leased_until=run.leased_until)


def _arrived(run: IvrRun) -> list[Notification]:
    """Return the notifications of the session that the run has not taken up, results before the end of the call."""
    rows = Notification.objects.on_primary().filter(account=run.account, session=run.session)
    found = rows.exclude(pk__in=run.seen).only("kind", "params", "block", "received_at").order_by("received_at", "pk")
    return sorted(found, key=_has_ended)


def _has_ended(notification: Notification) -> bool:
    return bool(notification.params.get("call_state") == "ended")


def _take(run: IvrRun, arrived: Iterable[Notification]) -> bool:
    """Store what the notifications report. Return whether the flow can go on."""
    # The process that stored a refused block has ended before the next one.
    goes_on = bool(run.steps) and "failed" in run.steps[-1]
    for notification in arrived:
        run.seen.append(notification.pk)
        if _has_ended(notification):
            run.has_ended = goes_on = True
        block = notification.block
        step = block.get("step") if block.get("run") == run.pk else None
        answered = [each for each in run.steps if "answer" in each or "failed" in each]
        if step is None:
            # The call begins.
            goes_on = goes_on or not run.steps
        elif step == len(answered) + 1:
            run.asked(step).update(
                name=block["name"],
                digest=block["digest"],
                answer={name: text for name, text in notification.params.items() if name in RESULTS},
                value=block.get("value"),
                answered_at=notification.received_at.isoformat(),
            )
            goes_on = True
        elif step == len(answered) and any("not_ready" in each for each in run.steps[step:]):
            # Its block ran twice, and Hoiio refused the next one meanwhile.
            goes_on = True
    return goes_on


class _Advance:
    """Runs a leased run to its next block, and sends that."""

    def __init__(self, run: IvrRun, begun: datetime) -> None:
        self.run, self.begun = run, begun
        # A refusal that the flow may still raise, which is logged then.
        self.refusal = ""

    def go(self) -> None:
        run = self.run
        try:
            flow = flows.by_name(run.flow)
        # Whatever its module raises.
        except Exception:
            self._say_goodbye(flows.APOLOGY)
            raise
        if flow is None or run.redacted_at is not None:
            self._say_goodbye(flow.goodbye if flow else flows.GOODBYE)
            return
        while True:
            try:
                following = replay(flow.function, self._call(), self._answers(), has_ended=run.has_ended)
            except FlowChanged as change:
                logger.warning("Run %s of %s ended: %s", run.pk, run.flow, change)
                self._say_goodbye(flow.goodbye)
                return
            except LeaseLost:
                raise
            except BaseException:
                if self._say_goodbye(flow.apology):
                    raise
                return
            self._log_refusal()
            if following.is_over or self._is_transferred():
                run.is_over = following.is_over or following.block is None
                return
            if following.block is None:
                run.is_over = not self._send(following.step, Block(name="hangup"))
                self._log_refusal()
                return
            if self._send(following.step, following.block):
                return

    def _call(self) -> Call:
        run = self.run
        return Call(
            session=run.session,
            account=run.account,
            from_number=run.from_number,
            to_number=run.to_number,
            pass_on=run.pass_on,
            now=run.started_at,
            remembered=run.remembered,
            remember=self._remember,
        )

    def _answers(self) -> dict[int, Answer | BlockFailed]:
        return {number: _answer(step) for number, step in enumerate(self.run.steps, 1) if "answered_at" in step}

    def _remember(self, key: str, function: Callable[[], Any]) -> None:
        """Call a function and store its result in one transaction."""
        run, rows = self.run, IvrRun.objects.on_primary()

        def remember() -> dict[str, Any]:
            with transaction.atomic(using=rows.db):
                remembered = {**run.remembered, key: function()}
                self._store(remembered=remembered)
            return remembered

        run.remembered.update(_retry(remember))

    def _store(self, **changes: Any) -> None:
        """Change the run, if this process still has its lease."""
        if not _held(self.run).update(**changes):
            raise LeaseLost(
                f"Run {self.run.pk} lost its lease: a step took over {LEASE.seconds} seconds, or the call was redacted."
            )

    def _is_transferred(self) -> bool:
        answers = [step for step in self.run.steps if "answer" in step]
        return bool(answers) and answers[-1]["answer"].get("transfer_status") == "answered"

    def _send(self, number: int, block: Block) -> bool:
        """Send a block. Return False if the flow has to go on without it."""
        run, asked = self.run, _asked(block)
        try:
            self._request(block, number)
        except InvalidState as refusal:
            if refusal.status == "error_session_ended":
                run.has_ended = True
                return False
            if refusal.status != "error_session_not_ready":
                self._fail(number, block, refusal.status, refusal)
                return False
            if self._runs_after_all(number - 1):
                return True
            # It was sent before, by a process that ended before it could store that. Or such a process had sent the one
            # before it, whose result was still on its way, so that it was sent twice and runs.
            asked["not_ready"] = True
        except (HoiioError, ValueError) as error:
            self._fail(number, block, getattr(error, "status", ""), error)
            return False
        sent_at = timezone.now()
        took = sent_at - self.begun
        run.asked(number).pop("not_ready", None)
        run.asked(number).update(**asked, sent_at=sent_at.isoformat(), seconds=round(took.total_seconds(), 3))
        if took > SLOW:
            logger.warning("Step %s of run %s took %.1f seconds.", number, run.pk, took.total_seconds())
        return True

    def _runs_after_all(self, number: int) -> bool:
        """Return whether Hoiio had taken the last block, although it could not be reached. Then wait for its result."""
        last = self.run.steps[number - 1] if number else {}
        if last.get("failed") != "":
            return False
        del last["failed"], last["answered_at"]
        return True

    def _request(self, block: Block, number: int) -> None:
        with HoiioClient(self.run.account, timeouts=TIMEOUTS) as client:
            params = {**block.params, "session": self.run.session}
            client.ivr._request(ENDPOINTS[block.name], params, block=_mark(self.run, number, block))

    def _fail(self, number: int, block: Block, status: str, error: Exception) -> None:
        """Store a refused block before the next one is sent, whose answer could otherwise not be matched."""
        run = self.run
        run.asked(number).update(**_asked(block), failed=status, answered_at=timezone.now().isoformat())
        self.refusal = f"Step {number} of run {run.pk} failed: {status or type(error).__name__}."
        _retry(lambda: self._store(steps=run.steps, seen=run.seen))

    def _log_refusal(self) -> None:
        if self.refusal:
            logger.warning("%s", self.refusal)
            self.refusal = ""

    def _say_goodbye(self, text: str) -> bool:
        """Hang up with a text. Return False if a block runs, whose result brings the flow here again."""
        run, number = self.run, len(self.run.steps) + 1
        if run.has_ended:
            run.is_over = True
            return True
        if not _retry(_held(run).exists):
            # The process that has taken over speaks with the caller.
            return True
        run.is_over = True
        spoken = {"msg": str(text)} if text else {}
        try:
            self._request(Block(name="hangup", params=spoken), number)
        except HoiioError as error:
            if error.status == "error_session_not_ready":
                self._runs_after_all(number - 1)
                run.is_over = False
                return False
            if not self.refusal:
                logger.warning("Run %s could not say goodbye: %s.", run.pk, error.status)
        return True


def _asked(block: Block) -> dict[str, Any]:
    shown = {name: block.params[name] for name in ("msg", "dest") if name in block.params}
    return {"name": block.name, "digest": block.digest, "keys": block.keys, **shown}


def _mark(run: IvrRun, step: int, block: Block) -> dict[str, Any]:
    """Return what the notify URL of a block says of it."""
    return {"run": run.pk, "step": step, "name": block.name, "digest": block.digest}


def _answer(step: dict[str, Any]) -> Answer | BlockFailed:
    if "failed" in step:
        return BlockFailed(step["failed"])
    return Answer(
        name=step["name"],
        digest=step["digest"],
        params=step["answer"],
        value=step["value"],
        at=datetime.fromisoformat(step["answered_at"]),
    )

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from django_hoiio.enums import Kind, Route
from django_hoiio.parsing import ParsedNotification, parse
from django_hoiio.parsing.parameters import PARAMETERS
from django_hoiio.sandbox.samples import (
    NAMES,
    ROUTE_OF_KIND,
    SCRIPTS,
    ScriptStep,
    parameters_of,
    sample,
    sms_script,
    step_parameters,
    with_changes,
)
from tests.conftest import raw_notification

DATE = "2026-01-31 12:00:00.0"
STEPS = [(name, at, step) for name, steps in SCRIPTS.items() for at, step in enumerate(steps)]


def parsed(params: Mapping[str, str], route: Route) -> ParsedNotification:
    return parse(raw_notification(route, body=urlencode(params)))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("route", ["its own", "any"])
def test_sample_of_each_kind_is_recognised_as_that_kind(kind: Kind, route: str) -> None:
    params = sample(kind, number=1, date=DATE, changes={})

    read = parsed(params, ROUTE_OF_KIND[kind] if route == "its own" else Route.ANY)

    problems = {} if kind != Kind.UNKNOWN else {"kind": "the kind of the notification cannot be recognised"}
    assert (read.kind, dict(read.problems), dict(read.pass_on)) == (kind, problems, {})


@pytest.mark.parametrize(("name", "at", "step"), STEPS, ids=lambda part: part if isinstance(part, str) else "")
def test_step_of_each_script_is_recognised_as_its_kind(name: str, at: int, step: ScriptStep) -> None:
    params = sample(step.kind, number=1, date=DATE, changes=step.changes)

    read = parsed(params, ROUTE_OF_KIND[step.kind])

    assert (read.kind, dict(read.problems), dict(read.pass_on)) == (step.kind, {}, {})


def test_every_kind_with_parameters_is_in_a_script() -> None:
    assert {step.kind for _, _, step in STEPS} == set(Kind) - {Kind.UNKNOWN}


def test_parameter_names_are_those_of_hoiio() -> None:
    assert {name for names in NAMES.values() for name in names} <= set(PARAMETERS)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.is_ivr])
def test_interactive_call_has_a_cost_only_at_its_end(kind: Kind) -> None:
    running = sample(kind, number=1, date=DATE, changes={"call_state": "ongoing"})
    ended = sample(kind, number=1, date=DATE, changes={"call_state": "ended"})

    cost = {"date": DATE, "duration": "1", "currency": "SGD", "rate": "0.018", "debit": "0.018"}
    assert set(ended) - set(running) == set(cost)
    assert {name: ended[name] for name in cost} == cost


def test_references_contain_the_number() -> None:
    params = sample(Kind.IVR_GATHER, number=7, date=DATE, changes={})

    assert params == {
        "ivr_block": "gather",
        "session": "S7",
        "txn_ref": "AA-C-7",
        "call_state": "ongoing",
        "tag": "",
        "from": "+6511111111",
        "to": "+6533333333",
        "digits": "1",
    }


def test_changes_replace_add_and_remove_parameters() -> None:
    assert with_changes({"a": "1", "b": "2", "c": "3"}, {"b": "", "c": None, "d": "4"}) == {"a": "1", "b": "", "d": "4"}


def test_sample_contains_only_parameters_of_its_kind() -> None:
    facts = {"msg": "hello", "from": "+65", "to": "+66", "secret": "x", "txn_ref": "AA-SI-1"}

    assert parameters_of(Kind.SMS_RECEIVED, facts) == {"txn_ref": "AA-SI-1", "msg": "hello", "from": "+65", "to": "+66"}


def test_given_values_override_a_script_except_for_its_own_parameters() -> None:
    (step,) = sms_script("failed")

    assert step_parameters(step, {"dest": "+65", "txn_ref": "AA-S-1"}) == {
        "sms_status": "failed",
        "txn_ref": "AA-S-1",
        "dest": "+65",
    }


def test_sent_sms_of_the_sandbox_is_in_the_scripts() -> None:
    assert SCRIPTS["sms_delivered"] == sms_script("queued", "delivered")

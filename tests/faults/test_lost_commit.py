"""A COMMIT whose answer is lost: the database has committed, and the app does not know.

PostgreSQL and MariaDB are behind a proxy that disconnects instead of answering. SQLite has no connection to cut, so
there the commit raises after it has been made.
"""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections  # noqa: F401  # the conditions below name one
from django.test import Client

from django_hoiio.models import Notification, Sms

from .conftest import Figures
from .processes import FORM, Environment, gunicorn, notification, post, run_command, signed_path, spooled
from .proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

COMMITS = 30

with_a_proxy = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has no connection to cut")
without_a_proxy = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="tested with a proxy")


def _rows() -> Counter[str]:
    return Counter(Notification.objects.values_list("pass_on__marker", flat=True))


@with_a_proxy
def test_lost_answer_to_a_commit_is_one_row(
    behind_the_proxy: Environment, proxy: Proxy, spool_dir: Path, figures: Figures
) -> None:
    markers = [uuid.uuid4().hex for _ in range(COMMITS)]

    with gunicorn(behind_the_proxy, workers=1) as server:
        for marker in markers:
            proxy.lose_commits(1)
            assert post(server.port, signed_path(), notification(marker)) == 200

    assert proxy.lost == COMMITS
    assert _rows() == Counter(markers)
    assert not spool_dir.exists()
    assert Sms.objects.count() == COMMITS
    figures(requests=COMMITS, answers_to_COMMIT_lost=proxy.lost, answered_200=COMMITS, rows=COMMITS, spool_files=0)


@with_a_proxy
def test_lost_answer_to_a_commit_of_a_database_that_goes_away_is_one_row(
    behind_the_proxy: Environment, environ: Environment, proxy: Proxy, spool_dir: Path, figures: Figures
) -> None:
    markers = [uuid.uuid4().hex for _ in range(COMMITS)]

    with gunicorn(behind_the_proxy, workers=1) as server:
        for marker in markers:
            proxy.lose_commits(1, then_go_away=True)
            assert post(server.port, signed_path(), notification(marker)) == 200
            proxy.come_back()

    # They are in the database and in the spool.
    assert proxy.lost == COMMITS
    assert (_rows(), sorted(spooled(spool_dir))) == (Counter(markers), sorted(markers))
    code, printed = run_command(environ, "hoiio_recover")
    assert (code, printed.split(", ")[:2]) == (0, ["Spool: 0 imported", f"{COMMITS} already stored"]), printed
    assert (_rows(), spooled(spool_dir)) == (Counter(markers), [])
    figures(
        requests=COMMITS, answers_to_COMMIT_lost=proxy.lost, answered_200=COMMITS, spool_files=COMMITS, rows=COMMITS
    )


@without_a_proxy
@pytest.mark.parametrize("goes_away", [False, True])
def test_commit_that_raises_after_it_was_made_is_one_row(
    monkeypatch: pytest.MonkeyPatch,
    transactional_db: None,
    settings: Any,
    spool_dir: Path,
    figures: Figures,
    goes_away: bool,
) -> None:
    settings.HOIIO = {"SPOOL_DIR": spool_dir}
    wrapper: Any = connections["default"]
    connect, commit = wrapper.connect, wrapper._commit
    sent = lost = 0

    def lose_the_answer() -> None:
        nonlocal lost
        commit()
        if lost == sent:
            return
        lost += 1
        wrapper.close()
        if goes_away:
            monkeypatch.setattr(wrapper, "connect", _refuse)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(wrapper, "_commit", lose_the_answer)
    markers = [uuid.uuid4().hex for _ in range(COMMITS)]
    for marker in markers:
        sent += 1
        assert Client().generic("POST", signed_path(), notification(marker), content_type=FORM).status_code == 200
        monkeypatch.setattr(wrapper, "connect", connect)

    assert (lost, _rows()) == (COMMITS, Counter(markers))
    waiting = len(spooled(spool_dir))
    assert waiting == (COMMITS if goes_away else 0)
    call_command("hoiio_recover", verbosity=0)
    assert (_rows(), spooled(spool_dir)) == (Counter(markers), [])
    figures(requests=COMMITS, answers_to_COMMIT_lost=lost, answered_200=COMMITS, spool_files=waiting, rows=COMMITS)


def _refuse() -> None:
    raise OperationalError("could not connect")

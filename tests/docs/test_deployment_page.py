"""The lines of cron and the service of docs/guides/deployment.rst. tests/processes/test_front_door.py runs the rest."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests import ROOT

PAGE = (ROOT / "docs/guides/deployment.rst").read_text(encoding="utf-8")
CRON = re.findall(r"^    [\d*/]+(?: [\d*/]+){4} (.+)$", PAGE, re.MULTILINE)


def test_commands_of_cron_exist() -> None:
    named = [name for line in CRON for name in re.findall(r"manage\.py (\w+)", line)]

    assert named == ["hoiio_recover", "hoiio_reconcile", "hoiio_prune"]
    assert set(named) <= set(get_commands())


@pytest.mark.parametrize("line", CRON)
@pytest.mark.parametrize(("code", "mailed"), [(0, ""), (1, "1 is left.\nand why\n")])
def test_cron_sends_mail_only_about_failures(line: str, code: int, mailed: str, tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    code_text = f"print('1 is left.', flush=True); print('and why', file=sys.stderr); sys.exit({code})"
    (tmp_path / "manage.py").write_text(f"import sys; {code_text}", encoding="utf-8")

    run = subprocess.run(
        ["sh", "-c", line.replace("/srv/mysite", str(tmp_path))], check=False, capture_output=True, text=True
    )

    assert (run.stdout, run.stderr) == (mailed, "")


def test_service_runs_a_command_that_exists() -> None:
    (line,) = re.findall(r"^    ExecStart=(.+)$", PAGE, re.MULTILINE)
    _, manage, name, *options = shlex.split(line)

    parsed = load_command_class(get_commands()[name], name).create_parser(manage, name).parse_args(options)

    assert (name, parsed.loop) == ("hoiio_recover", True)

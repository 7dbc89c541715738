from __future__ import annotations

import io
import secrets
import sys
import threading
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from example_project.demo.checking import differences, kept_since
from example_project.demo.posting import Post, post
from example_project.demo.samples import SAMPLES, TRANSACTIONS
from example_project.demo.server import HOST, serving

USERNAME = "demo"


class Command(BaseCommand):
    help = "Play Hoiio to this project, check what became of it, and serve the admin until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="End after the check, with exit status 0 or 1.")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        # A terminal that has no arrow shows a question mark.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        call_command("migrate", verbosity=0, interactive=False)
        _forget()
        with serving() as port:
            self._say(f"Posting {len(SAMPLES)} notifications to http://{HOST}:{port}/hoiio/ as Hoiio would; heard:\n\n")
            self._check(port)
            if not once:
                self._serve(port)

    def _check(self, port: int) -> None:
        """Send the samples, and fail where they have not become what they should."""
        began = timezone.now()
        posts = [post(sample, port, self._say) for sample in SAMPLES]
        found = differences(posts, TRANSACTIONS, kept_since(began))
        if found:
            raise CommandError("\n".join(["What was sent is not what is kept:", *found]))
        self._say(f"\n{_summary(posts)}")

    def _serve(self, port: int) -> None:
        """Let people log in to the admin until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._say(f"Browse them at http://{HOST}:{port}/admin/ as {USERNAME} with password {_new_password()}")
            self._say("Ctrl-C ends the demo.")
            threading.Event().wait()
        if self.stdout.isatty():
            self._say("")

    def _say(self, line: str) -> None:
        """Write a line at once, also where the output is no terminal."""
        self.stdout.write(line)
        self.stdout.flush()


def _forget() -> None:
    """Take away the rows that an earlier run has brought to their end, so that they begin anew."""
    for row in TRANSACTIONS:
        type(row)._default_manager.filter(txn_ref=row.txn_ref).delete()


def _summary(posts: list[Post]) -> str:
    signals = sum(len(post.heard) for post in posts)
    states = f"{len(TRANSACTIONS)} calls, faxes and SMS brought up to date"
    return f"{len(posts)} notifications sent and kept, {signals} signals heard, {states}."


def _new_password() -> str:
    """Make the local admin user, or give it a new password."""
    password = secrets.token_urlsafe(9)
    user, _ = User.objects.update_or_create(
        username=USERNAME, defaults={"is_active": True, "is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save()
    return password

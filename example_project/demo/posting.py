"""Posts a sample as Hoiio would, and listens to what the project's receivers print."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from django_hoiio.notify_urls import notify_url

from .samples import Sample
from .server import HOST

# Seconds.
PATIENCE = 30


@dataclass(frozen=True, kw_only=True)
class Post:
    """A sample that was sent, how it was answered, and the signals that the receivers heard before the answer."""

    sample: Sample
    status: int
    heard: tuple[str, ...]


class Listener(io.TextIOBase):
    """Hands on what is printed, line by line, and keeps it."""

    def __init__(self, hand_on: Callable[[str], object]) -> None:
        self.lines: list[str] = []
        self._hand_on = hand_on
        self._unfinished = ""

    def write(self, text: str) -> int:
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            self.lines.append(line)
            self._hand_on(line)
        return len(text)


def post(sample: Sample, port: int, hand_on: Callable[[str], object]) -> Post:
    """Send a sample over HTTP. Its receivers run before the answer, and begin each line with their signal's name."""
    url = urlsplit(notify_url(sample.route)).path
    if sample.query:
        url = f"{url}?{sample.query}"
    listener = Listener(hand_on)
    with redirect_stdout(listener), closing(HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
        connection.request("POST", url, sample.body, {"Content-Type": "application/x-www-form-urlencoded"})
        status = connection.getresponse().status
    return Post(sample=sample, status=status, heard=tuple(line.split(" ")[0] for line in listener.lines))

"""Ingest one notification in a process of its own that kills itself before or after its nth statement."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

import django
from django.db import connection


def main() -> None:
    given = json.loads(sys.argv[1])
    django.setup()
    from django_hoiio.enums import Route
    from django_hoiio.ingest import ingest
    from django_hoiio.parsing import RawNotification

    seen = 0

    def execute(call: Any, *arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        if (given["when"], given["number"]) == ("before", seen):
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*arguments)
        if (given["when"], given["number"]) == ("after", seen):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    connection.ensure_connection()
    with connection.execute_wrapper(execute):
        ingest(
            RawNotification(
                uuid=UUID(given["uuid"]),
                received_at=datetime.fromisoformat(given["received_at"]),
                route=Route.ANY,
                query="",
                body=base64.b64decode(given["body"]),
            )
        )
    print(seen)


if __name__ == "__main__":
    main()

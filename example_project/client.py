"""The client as the receivers and the flows of the example project use it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django_hoiio.client import HoiioClient
from django_hoiio.exceptions import HoiioError

logger = logging.getLogger(__name__)


@contextmanager
def hoiio_client() -> Iterator[HoiioClient]:
    """Yield a client and log its errors.

    If the error were raised, `manage.py hoiio_recover` would retry the receiver. A request that Hoiio carried out
    despite the error would be sent, and charged, twice.
    """
    with HoiioClient() as client:
        try:
            yield client
        except HoiioError as error:
            logger.warning("Not done: %s", error)

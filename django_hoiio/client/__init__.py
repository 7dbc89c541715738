"""Hoiio's REST API: each call by its path, `client.sms.send(…)`, with its signed notify URL.

The receiving side does not import this, and works without `requests`.
"""

from __future__ import annotations

from types import TracebackType

from .account import NumberResource, UserResource
from .connection import TIMEOUTS, Connection
from .fax import FaxResource
from .ivr import IvrResource
from .sms import SmsResource
from .voice import ConferenceResource, VoiceResource

__all__ = ["HoiioClient"]


class HoiioClient:
    """Asks Hoiio in the name of an account in `HOIIO['ACCOUNTS']`.

    Connections stay open from one request to the next until `close`, or the end of `with`. Each thread needs a client
    of its own. `timeouts` are seconds: to be connected, and between two pieces of the answer.

    Raises `ImproperlyConfigured` where the account has no APP_ID or ACCESS_TOKEN. Each call raises `ValueError`, and
    sends nothing, where an argument is not what Hoiio takes, and a `HoiioError` where the answer is not success.
    """

    def __init__(self, account: str = "default", *, timeouts: tuple[float, float] = TIMEOUTS) -> None:
        self._connection = Connection(account, timeouts)
        self.voice = VoiceResource(self._connection)
        self.conference = ConferenceResource(self._connection)
        self.sms = SmsResource(self._connection)
        self.fax = FaxResource(self._connection)
        self.ivr = IvrResource(self._connection)
        self.number = NumberResource(self._connection)
        self.user = UserResource(self._connection)

    def __enter__(self) -> HoiioClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

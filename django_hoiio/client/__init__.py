"""A client for Hoiio's REST API: `client.sms.send(…)` posts to `sms/send` with a signed notify URL.

The webhook views do not import it and work without `requests`.
"""

from __future__ import annotations

from types import TracebackType

from .account import NumberResource, UserResource
from .connection import TIMEOUTS, Connection
from .fax import FaxResource
from .ivr import IvrResource
from .sms import SmsResource
from .voice import ConferenceResource, VoiceResource

__all__ = [
    "ConferenceResource",
    "FaxResource",
    "HoiioClient",
    "IvrResource",
    "NumberResource",
    "SmsResource",
    "UserResource",
    "VoiceResource",
]


class HoiioClient:
    """Send requests to Hoiio for one account in `HOIIO['ACCOUNTS']`.

    Connections stay open between requests until `close` or the end of `with`. Use one client per thread. `timeouts`
    are seconds: to connect, and between two pieces of the response.

    Raises `ImproperlyConfigured` if the account has no APP_ID or ACCESS_TOKEN. Each call raises `ValueError`, before
    it sends anything, if an argument is invalid, and a `HoiioError` if the response is not success.
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
        self._connection.close()

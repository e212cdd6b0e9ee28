"""One request to one endpoint: signed, sent to a checked address, and over after ten seconds whatever it does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from standardwebhooks import Webhook
from yarl import URL

from eventfold.errors import InvalidInput
from notifications import addresses
from notifications.delivery.domain import Answer
from notifications.guard import CheckedResolver, Guard, NotReachable

log = logging.getLogger(__name__)

REQUEST_S: Final = 10.0
"""For all of it: name, connection, TLS, sending, and the head of the answer."""
BODY_S: Final = 2.0
"""For the rest of an answer whose status is known."""
MAX_ANSWER_BYTES: Final = 65_536
SAID_BYTES: Final = 1_024
MAX_HEADER_BYTES: Final = 8_192
USER_AGENT: Final = "Lyceum-Webhooks/1"


def headers_of(delivery_id: str, body: str, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks, with a signature under each secret; `at` is the time of the attempt, UTC."""
    signatures = [Webhook(secret).sign(delivery_id, at, body) for secret in secrets]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(math.floor(at.timestamp())),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
    }


class Poster:
    """Makes requests. Redirects, proxies of the environment, cookies, compressed answers and used connections play no
    part. `tls` must verify names; without it, the machine's certificates are trusted."""

    def __init__(
        self,
        guard: Guard,
        *,
        allow_local: bool = False,
        tls: ssl.SSLContext | None = None,
        request_s: float = REQUEST_S,
    ) -> None:
        self._guard = guard
        self._allow_local = allow_local
        self._request_s = request_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=CheckedResolver(guard),
                use_dns_cache=False,
                force_close=True,
                limit=0,
                ssl=tls or ssl.create_default_context(),
                socket_factory=guard.open_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    async def close(self) -> None:
        """Close what is open, and end the guard's threads."""
        await self._session.close()
        await self._guard.aclose()

    async def post(self, url: str, body: str, headers: dict[str, str], now: datetime) -> Answer:
        """The answer, or why there is none; `now` is what dates in it are compared with. Never raises for what a
        receiver does."""
        began = time.monotonic()
        status, said, retry_after = 0, "", None
        try:
            address = addresses.checked(url, allow_local=self._allow_local)
            async with asyncio.timeout(self._request_s) as limit:
                async with self._asked(address.url, body, headers) as answer:
                    status, retry_after = answer.status, _retry_after(answer.headers.get("retry-after"), now)
                    limit.reschedule(asyncio.get_running_loop().time() + BODY_S)
                    said = await _beginning(answer)
        except InvalidInput as refused:
            said = f"the address {refused}"
        except NotReachable as refused:
            said = str(refused)
        except TimeoutError:
            said = said or ("" if status else f"no answer within {self._request_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            said = said if status else _why(failure)
        except Exception:  # receivers choose the bytes that are read here: none of them may stop the sender
            log.exception("an answer could not be read")
            said = said if status else "the answer is not HTTP"
        return Answer(status, round((time.monotonic() - began) * 1_000), said, retry_after)

    @contextlib.asynccontextmanager
    async def _asked(self, url: str, body: str, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        request = self._session.post(URL(url, encoded=True), data=body.encode(), headers=headers, allow_redirects=False)
        async with request as answer:
            yield answer


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """How the answer begins, as text without control characters. Reads at most `MAX_ANSWER_BYTES`."""
    read = bytearray()
    with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
        while len(read) < MAX_ANSWER_BYTES and (some := await answer.content.read(MAX_ANSWER_BYTES - len(read))):
            read += some
    text = bytes(read[:SAID_BYTES]).decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)


def _why(failure: Exception) -> str:
    """Why no answer came, in words of ours: the library's name addresses."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, NotReachable):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    match failure:
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate is not valid for the name of the host"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "no TLS connection could be made"
        case aiohttp.ClientConnectorError() | ConnectionRefusedError():
            return "no connection could be made"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "the connection was closed before an answer"
        case _:
            return "the answer is not HTTP"


def _retry_after(told: str | None, now: datetime) -> timedelta | None:
    """Seconds, or a date; None for what is neither."""
    if told is None:
        return None
    if told.strip().isascii() and told.strip().isdecimal():
        return timedelta(seconds=min(int(told.strip()[:9]), 10**8))
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at - now

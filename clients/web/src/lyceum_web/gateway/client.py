"""Calls to the gateway: each ends by its deadline, reads a bounded answer, and fails by a named trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from lyceum_web.bounds import (
    ANSWER_BYTES,
    CONNECT_TIMEOUT_S,
    GATEWAY_CONNECTIONS,
    MAX_RETRY_AFTER_S,
    REQUEST_DEADLINE_S,
    RETRY_AFTER_S,
)
from lyceum_web.errors import BadAnswer, GatewayTrouble, NotAdmitted, Trouble
from lyceum_web.gateway.answers import Answer, object_of

Parameters = Mapping[str, str | int | Sequence[int]]

_TROUBLES: Final[Mapping[int, Trouble]] = {
    400: Trouble.REFUSED,
    403: Trouble.FORBIDDEN,
    404: Trouble.NOT_SERVED,
    405: Trouble.NOT_SERVED,
    429: Trouble.LIMITED,
    501: Trouble.NOT_SERVED,
    502: Trouble.UNREACHABLE,
    503: Trouble.UNREACHABLE,
    504: Trouble.LATE,
}


def http_client(url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The connections to the gateway at `url`. Proxies of the environment are not used, redirects not followed."""
    timeout = httpx.Timeout(REQUEST_DEADLINE_S, connect=CONNECT_TIMEOUT_S)
    limits = httpx.Limits(max_connections=GATEWAY_CONNECTIONS, max_keepalive_connections=GATEWAY_CONNECTIONS)
    return httpx.AsyncClient(
        base_url=url, timeout=timeout, limits=limits, transport=transport, trust_env=False, follow_redirects=False
    )


class Gateway:
    """The gateway for one browser's request. `client_address` is whose request it is: limits count by it.

    `deadline_at` is in the event loop's time; no call outlives it.
    """

    def __init__(self, http: httpx.AsyncClient, deadline_at: float, client_address: str) -> None:
        self._http = http
        self._deadline_at = deadline_at
        self._client_address = client_address

    async def get(self, path: str, parameters: Parameters, access_token: str) -> Answer:
        """Ask. Raises `NotAdmitted` for a token that does not count, and `GatewayTrouble`."""
        return await self._call("GET", path, {"authorization": f"Bearer {access_token}"}, params=parameters)

    async def post(self, path: str, body: Mapping[str, str]) -> Answer:
        """Command without a token. Raises `NotAdmitted` for credentials that do not count, and `GatewayTrouble`."""
        return await self._call("POST", path, {}, json=body)

    async def _call(self, method: str, path: str, headers: Mapping[str, str], **content: Any) -> Answer:
        left_s = self._deadline_at - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise GatewayTrouble(path, Trouble.LATE)
        told = {**headers, **self._told(left_s)}
        try:
            async with asyncio.timeout(left_s), self._http.stream(method, path, headers=told, **content) as response:
                return _answer(path, response, await _body(path, response))
        except (TimeoutError, httpx.TimeoutException) as late:
            is_connecting = isinstance(late, httpx.ConnectTimeout | httpx.PoolTimeout)
            raise GatewayTrouble(path, Trouble.UNREACHABLE if is_connecting else Trouble.LATE) from late
        except httpx.TransportError as failure:
            raise GatewayTrouble(path, Trouble.UNREACHABLE) from failure

    def _told(self, left_s: float) -> dict[str, str]:
        """The time that is left, so that services give up when this process does; and whose request it is."""
        told = {"grpc-timeout": f"{max(int(left_s * 1000), 1)}m"}
        return told | ({"x-forwarded-for": self._client_address} if self._client_address else {})


async def _body(path: str, response: httpx.Response) -> bytes:
    found = bytearray()
    async for chunk in response.aiter_bytes():
        found += chunk
        if len(found) > ANSWER_BYTES:
            raise BadAnswer(path, f"more than {ANSWER_BYTES} bytes")
    return bytes(found)


def _answer(path: str, response: httpx.Response, body: bytes) -> Answer:
    if response.is_success:
        return Answer(path, object_of(path, body))
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise NotAdmitted(path)
    trouble = _TROUBLES.get(response.status_code, Trouble.FAILED)
    limited_s = _retry_after_s(response) if trouble is Trouble.LIMITED else 0
    raise GatewayTrouble(path, trouble, field=_field(body), retry_after_s=limited_s)


def _retry_after_s(response: httpx.Response) -> int:
    told = response.headers.get("retry-after", "")
    return min(int(told), MAX_RETRY_AFTER_S) if told.isascii() and told.isdigit() and told != "0" else RETRY_AFTER_S


def _field(body: bytes) -> str:
    """The field that a refusal names; empty where it names none."""
    with contextlib.suppress(BadAnswer):
        details = object_of("", body).get("details")
        for detail in details if isinstance(details, list) else []:
            metadata = detail.get("metadata") if isinstance(detail, dict) else None
            if isinstance(metadata, dict) and isinstance(metadata.get("field"), str):
                return str(metadata["field"])
    return ""

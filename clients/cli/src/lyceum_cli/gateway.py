"""A session with the gateway: log in, keep the token fresh, ask again what did not get through.

Every call may be repeated on a lost answer, so give commands an idempotency key where their ids do not make them
repeatable by themselves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

import httpx

from lyceum_cli import addresses
from lyceum_cli.errors import BadAnswer, NotLoggedIn, Refused, Unavailable, Unreachable

MAX_ATTEMPTS: Final = 8
FIRST_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 5.0
CALL_TIMEOUT_S: Final = 60.0
REACH_TIMEOUT_S: Final = 5.0
MAX_CONNECTIONS: Final = 16
REFRESH_BEFORE_S: Final = 60.0
RETRIED: Final = frozenset({429, 502, 503, 504})
ABORTED: Final = 10
"""gRPC code of a command that lost against other writers: worth another attempt."""

Query = Mapping[str, str | int | Sequence[str | int]]
Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. `token`: of what a command recorded; `stale`: None where the call asked for no freshness."""

    body: Mapping[str, Any]
    token: str
    stale: bool | None


@dataclass(frozen=True, slots=True)
class _Tokens:
    access: str
    refresh: str
    fresh_until_s: float


class Gateway:
    """One caller's session. Safe for concurrent use within one event loop. Made with a `url` that cannot be one, it
    raises `BadAddress`."""

    def __init__(
        self,
        url: str,
        *,
        client: httpx.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._url = addresses.checked(url)
        self._client = client or httpx.AsyncClient(
            timeout=CALL_TIMEOUT_S, limits=httpx.Limits(max_connections=MAX_CONNECTIONS), trust_env=False
        )
        self._clock = clock
        self._pause = pause
        self._rng = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._tokens: _Tokens | None = None
        self._credentials = ("", "")
        self._refreshing = asyncio.Lock()
        self.member_id = ""
        self.role = ""

    async def __aenter__(self) -> Gateway:
        """The gateway itself; leaving closes its connections."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    def another(self) -> Gateway:
        """A session for another caller over the same connections; only the first one closes them."""
        return Gateway(self._url, client=self._client, clock=self._clock, pause=self._pause)

    async def reach(self) -> None:
        """Ask for any sign of life, once: whoever mistyped the address need not wait for all retries.

        Raises `Unreachable`.
        """
        try:
            await self._client.get(f"{self._url}/ready", timeout=REACH_TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as failure:
            raise Unreachable(self._url, addresses.why(failure)) from failure

    async def log_in(self, username: str, password: str) -> None:
        """Begin a session. Raises `Refused` for wrong credentials; they stay in memory to begin it again.

        `member_id` and `role` then tell who it is.
        """
        path = "/v1/sessions"
        answer = await self.post(path, {"username": username, "password": password}, anonymous=True)
        self._keep(path, answer.body)
        self._credentials = (username, password)
        self.member_id, self.role = text_of(path, answer.body, "member_id"), text_of(path, answer.body, "role")

    async def get(self, path: str, query: Query | None = None, *, after: Sequence[str] = ()) -> Answer:
        """Ask. With `after`, the server first waits (up to 2 s) until it has applied what these tokens stand for."""
        return await self._call("GET", path, _after(after), anonymous=self._tokens is None, params=query)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str = "",
        anonymous: bool = False,
        form: bool = False,
        after: Sequence[str] = (),
    ) -> Answer:
        """Command. `form` sends the fields as a form instead of JSON. `after` as for `get`."""
        headers = _after(after) | ({"idempotency-key": idempotency_key} if idempotency_key else {})
        content: dict[str, Any] = {"data": body} if form else {"json": body}
        return await self._call("POST", path, headers, anonymous=anonymous, **content)

    async def _call(
        self, method: str, path: str, headers: Mapping[str, str], *, anonymous: bool, **content: Any
    ) -> Answer:
        response = await self._sent(method, path, headers, anonymous, content)
        if response.status_code == httpx.codes.UNAUTHORIZED and not anonymous:
            await self._renew(response.request.headers["authorization"])
            response = await self._sent(method, path, headers, anonymous, content)
        return _answer(path, response)

    async def _sent(
        self, method: str, path: str, headers: Mapping[str, str], anonymous: bool, content: Mapping[str, Any]
    ) -> httpx.Response:
        last = ""
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                await self._pause(self._pause_s(attempt))
            bearer = {} if anonymous else {"authorization": await self._bearer(path)}
            try:
                response = await self._client.request(
                    method, self._url + path, headers={**headers, **bearer}, **content
                )
            except httpx.TransportError as failure:
                last = addresses.why(failure)
                continue
            if not _worth_another_attempt(response):
                return response
            last = f"status {response.status_code}"
        raise Unavailable(path, MAX_ATTEMPTS, last)

    def _pause_s(self, attempt: int) -> float:
        return float(min(MAX_PAUSE_S, FIRST_PAUSE_S * 2**attempt) * (0.5 + self._rng.random() / 2))

    async def _bearer(self, path: str) -> str:
        if self._tokens is None:
            raise NotLoggedIn(path)
        if self._clock() >= self._tokens.fresh_until_s:
            await self._renew(f"Bearer {self._tokens.access}")
        return f"Bearer {self._tokens.access}"

    async def _renew(self, used: str) -> None:
        """New tokens, unless somebody renewed them since `used` was sent."""
        async with self._refreshing:
            tokens = self._tokens
            if tokens is None or used != f"Bearer {tokens.access}":
                return
            path = "/v1/sessions:refresh"
            try:
                answer = await self.post(path, {"refresh_token": tokens.refresh}, anonymous=True)
            except Refused:
                await self.log_in(*self._credentials)  # the session has ended: begin another, or say why not
            else:
                self._keep(path, answer.body)

    def _keep(self, path: str, body: Mapping[str, Any]) -> None:
        lives_s = body.get("expires_in_s")
        if not isinstance(lives_s, int):
            raise BadAnswer(path, "expires_in_s is missing")
        access, refresh = text_of(path, body, "access_token"), text_of(path, body, "refresh_token")
        self._tokens = _Tokens(access, refresh, self._clock() + lives_s - REFRESH_BEFORE_S)


def text_of(path: str, body: Mapping[str, Any], name: str) -> str:
    """A text that the answer of `path` must hold. Raises `BadAnswer`: something else than the gateway may answer."""
    found = body.get(name)
    if not isinstance(found, str):
        raise BadAnswer(path, f"{name} is missing")
    return found


def _worth_another_attempt(response: httpx.Response) -> bool:
    if response.status_code in RETRIED:
        return True
    return response.status_code == httpx.codes.CONFLICT and _json(response).get("code") == ABORTED


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _answer(path: str, response: httpx.Response) -> Answer:
    body = _json(response)
    if not response.is_success:
        raise _refusal(path, response.status_code, body)
    if not body and response.content.strip() != b"{}":
        raise BadAnswer(path, "no JSON object")
    stale = response.headers.get("x-lyceum-stale")
    token = response.headers.get("x-lyceum-token") or str(body.get("consistency_token", ""))
    return Answer(body, token, None if stale is None else stale == "true")


def _refusal(path: str, status: int, body: Mapping[str, Any]) -> Refused:
    details = [one for one in body.get("details", []) if isinstance(one, dict)]
    info = next((one for one in details if "reason" in one), {})
    field = info.get("metadata", {}).get("field", "")
    return Refused(
        path=path,
        status=status,
        code=int(body.get("code", 0)),
        message=str(body.get("message", "")),
        field=field,
        reason=info.get("reason", ""),
    )


def _after(tokens: Sequence[str]) -> dict[str, str]:
    return {"x-lyceum-after": ",".join(tokens)} if tokens else {}

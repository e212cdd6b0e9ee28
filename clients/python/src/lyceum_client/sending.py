"""All attempts at a call: one idempotency key, one request id, one deadline."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from lyceum_client.calling import Answer, Call, How, Repeats
from lyceum_client.errors import NoAnswer, NotLoggedIn
from lyceum_client.requests import Request, answer_of, message_of, refusal_of, request_of
from lyceum_client.retrying import MAX_ATTEMPTS, may_follow_failure, may_follow_refusal, pause_s
from lyceum_client.session import Session
from lyceum_client.wire import Message

A = TypeVar("A", bound=Message)
SILENCE_S = 45.0
"""The platform says something at least every 15 s while a stream is open."""


@dataclass(slots=True)
class _Attempts:
    call: Call[Any]
    request: Request
    key: str
    after: tuple[str, ...]
    request_id: str
    ends_at_s: float
    made: int = 0
    last: str = "no time was left"

    def no_answer(self) -> NoAnswer:
        return NoAnswer(self.call.name, self.made, self.last, self.key, self.request_id)


class Sender:
    """Makes calls for a session over `http`."""

    def __init__(self, http: httpx.AsyncClient, session: Session, pause: Callable[[float], Awaitable[None]]) -> None:
        self._http = http
        self._session = session
        self._pause = pause

    async def call(self, call: Call[A], request: Message, how: How) -> Answer[A]:
        """The answer of a call. Raises `LyceumError`: the refusal, or `NoAnswer` when time or attempts are over."""
        attempts = self._attempts(call, request, how)
        response = await self._in_time(attempts)
        answer = answer_of(call, response, attempts.request_id)
        self._learn(attempts, response, answer.token)
        return answer

    async def stream(self, call: Call[A], request: Message, how: How) -> AsyncGenerator[A, None]:
        """What comes, until the platform ends it. Raises `LyceumError`: the refusal, or `NoAnswer` when it was not
        opened in time, the connection is lost, or nothing came for `SILENCE_S`."""
        attempts = self._attempts(call, request, how)
        response = await self._in_time(attempts)
        try:
            async for data in _data(response):
                yield message_of(call, data)
        except (httpx.HTTPError, TimeoutError) as lost:
            attempts.last = type(lost).__name__
            raise attempts.no_answer() from lost
        finally:
            await response.aclose()

    def _attempts(self, call: Call[A], request: Message, how: How) -> _Attempts:
        ends_at_s = asyncio.get_running_loop().time() + how.deadline_s
        after = self._session.written.missing(_reader(call), how.after) if call.waits else ()
        key = (how.idempotency_key or str(uuid.uuid4())) if call.repeats is Repeats.WITH_KEY else ""
        return _Attempts(call, request_of(call, request), key, after, str(uuid.uuid4()), ends_at_s)

    async def _in_time(self, attempts: _Attempts) -> httpx.Response:
        try:
            async with asyncio.timeout_at(attempts.ends_at_s):
                return await self._answered(attempts)
        except TimeoutError as late:
            raise attempts.no_answer() from late

    def _learn(self, attempts: _Attempts, response: httpx.Response, token: str) -> None:
        if response.headers.get("x-lyceum-stale") == "false":
            self._session.written.applied(_reader(attempts.call), attempts.after)
        self._session.written.wrote(token)

    async def _answered(self, attempts: _Attempts) -> httpx.Response:
        """The first response that is no refusal, after pauses. Raises the refusal, `NoAnswer`."""
        for attempts.made in range(1, MAX_ATTEMPTS + 1):
            retry_after_s = None
            try:
                response = await self._sent(attempts)
            except httpx.HTTPError as failure:
                attempts.last = type(failure).__name__
                if not may_follow_failure(attempts.call.repeats, failure):
                    raise attempts.no_answer() from failure
            else:
                if response.is_success:
                    return response
                retry_after_s = self._hope(attempts, response)
            if attempts.made < MAX_ATTEMPTS:
                await self._pause(pause_s(attempts.made, retry_after_s))
        raise attempts.no_answer()

    def _hope(self, attempts: _Attempts, response: httpx.Response) -> float | None:
        """Seconds to wait if asking again may help. Raises the refusal where it would not, or no time is left."""
        refusal = refusal_of(attempts.call, response, attempts.request_id)
        is_over = attempts.made >= MAX_ATTEMPTS or _left_s(attempts) <= (refusal.retry_after_s or 0.0)
        if is_over or not may_follow_refusal(attempts.call.repeats, response.status_code, refusal):
            raise refusal
        attempts.last = str(refusal)
        return refusal.retry_after_s

    async def _sent(self, attempts: _Attempts) -> httpx.Response:
        """One attempt; a second one with a new access token where the first one's did not count."""
        bearer = await self._bearer(attempts.call)
        response = await self._request(attempts, bearer)
        if response.status_code == httpx.codes.UNAUTHORIZED and bearer:
            await self._session.renew(bearer)
            response = await self._request(attempts, await self._bearer(attempts.call))
        return response

    async def _bearer(self, call: Call[Any]) -> str:
        bearer = await self._session.access_token() if call.takes_token else ""
        if not bearer and not call.is_open:
            raise NotLoggedIn(call.name)
        return bearer

    async def _request(self, attempts: _Attempts, bearer: str) -> httpx.Response:
        request = attempts.request
        made = self._http.build_request(
            request.verb, request.path, params=request.query, json=request.body, headers=_headers(attempts, bearer)
        )
        response = await self._http.send(made, stream=True)
        if not (attempts.call.streams and response.is_success):
            await response.aread()
        return response


async def _heard(lines: AsyncIterator[str]) -> str | None:
    async with asyncio.timeout(SILENCE_S):
        return await anext(lines, None)


async def _data(response: httpx.Response) -> AsyncIterator[str]:
    """The data of each server-sent event; the end of the answer is the end. Raises `TimeoutError`."""
    lines, data = response.aiter_lines(), list[str]()
    while (line := await _heard(lines)) is not None:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def _headers(attempts: _Attempts, bearer: str) -> dict[str, str]:
    """The time that is left goes along, so that the platform gives up when the caller does."""
    told = {
        "x-request-id": attempts.request_id,
        "grpc-timeout": "" if attempts.call.streams else _timeout(attempts),
        "authorization": f"Bearer {bearer}" if bearer else "",
        "idempotency-key": attempts.key,
        "x-lyceum-after": ",".join(attempts.after),
    }
    return {name: value for name, value in told.items() if value}


def _timeout(attempts: _Attempts) -> str:
    return f"{min(max(int(_left_s(attempts) * 1000), 1), 99_999_999)}m"


def _left_s(attempts: _Attempts) -> float:
    return attempts.ends_at_s - asyncio.get_running_loop().time()


def _reader(call: Call[Any]) -> str:
    """What a token is applied in differs between calls of a service: each reads tables of its own."""
    return f"{call.service}.{call.name}"

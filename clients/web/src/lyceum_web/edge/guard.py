"""The outermost layer: counts requests, ends them at their deadline, adds the headers of all answers, and logs."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lyceum_web.bounds import REQUEST_DEADLINE_S, REQUESTS_AT_ONCE, RETRY_AFTER_S, URL_CHARS
from lyceum_web.edge.log import Log

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: browsers then send the origin of our own forms as `null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NO_STORE: Final = "no-store"
_REFERENCE: Final = re.compile(r"[0-9A-Za-z-]{8,64}")

Refusal = Callable[[Scope, int, str], ASGIApp]
"""Makes the page of a refusal: scope, status, key of the text."""
IsDraining = Callable[[], bool]
"""Whether the process was asked to end: each answer then closes its connection, so that nobody has one open any more
that is closed under a request."""


class Guard:
    """Wraps the pages. `scope["state"]` gets `deadline_at` (the event loop's time) and `reference` of this request."""

    def __init__(
        self,
        pages: ASGIApp,
        refusal: Refusal,
        log: Log,
        is_draining: IsDraining,
        deadline_s: float = REQUEST_DEADLINE_S,
    ) -> None:
        self._pages = pages
        self._refusal = refusal
        self._log = log
        self._is_draining = is_draining
        self._deadline_s = deadline_s
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is none passes."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        answer = _Answer(scope, send, self._is_draining)
        state = scope.setdefault("state", {})
        state["reference"] = _reference(Headers(scope=scope))
        state["deadline_at"] = asyncio.get_running_loop().time() + self._deadline_s
        self._running += 1
        try:
            await self._serve(scope, receive, answer)
        finally:
            self._running -= 1
            self._log.request(scope, answer.status, time.monotonic() - answer.began)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if self._running > REQUESTS_AT_ONCE:
            await self._refusal(scope, 503, "refused.busy")(scope, receive, answer.send)
        elif len(scope["raw_path"] or b"") + len(scope["query_string"]) > URL_CHARS:
            await self._refusal(scope, 414, "refused.too_large")(scope, receive, answer.send)
        else:
            await self._within_deadline(scope, receive, answer)

    async def _within_deadline(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            async with asyncio.timeout_at(scope["state"]["deadline_at"]):
                await self._pages(scope, receive, answer.send)
        except TimeoutError:
            if answer.status:
                raise  # half an answer is out: the server closes the connection
            await self._refusal(scope, 504, "refused.late")(scope, receive, answer.send)
        except Exception as failure:
            self._log.failure(scope, failure)
            if answer.status:
                raise
            await self._refusal(scope, 500, "refused.failed")(scope, receive, answer.send)


class _Answer:
    """What goes out, with the headers that every answer has."""

    def __init__(self, scope: Scope, send: Send, is_draining: IsDraining) -> None:
        self._scope, self._send, self._is_draining = scope, send, is_draining
        self.began = time.monotonic()
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message["headers"])
            for name, value in _headers(self.status, self._scope["state"]).items():
                headers.setdefault(name, value)
            if self._is_draining():
                headers["connection"] = "close"
        await self._send(message)


def _headers(status: int, state: Mapping[str, Any]) -> dict[str, str]:
    """Nothing is kept by any cache unless the page says otherwise."""
    again = {"retry-after": str(RETRY_AFTER_S)} if status in (429, 503) else {}
    return {**HEADERS, "cache-control": NO_STORE, "x-request-id": str(state["reference"]), **again}


def _reference(headers: Headers) -> str:
    """The gateway's id of the request, under which its own log has it; or one of our own."""
    found = headers.get("x-request-id", "")
    return found if _REFERENCE.fullmatch(found) else secrets.token_hex(8)

"""A message as an HTTP request, and an HTTP response as a message or a refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from lyceum_client.calling import Answer, Call
from lyceum_client.errors import CLASSES, BadAnswer, BadRequest, Refused
from lyceum_client.wire import Message

A = TypeVar("A", bound=Message)
Primitive = str | int | float | bool | None
_HTTP_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 413: 3, 429: 8, 501: 12, 502: 14, 503: 14, 504: 4}
"""gRPC's code where something before the gateway answered without one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, but for headers."""

    verb: str
    path: str
    query: httpx.QueryParams
    body: Any


def request_of(call: Call[A], message: Message) -> Request:
    """The request for a call. Raises `BadRequest` for an empty field of the path."""
    fields = message.to_json()
    path = re.sub(r"{(\w+)}", lambda found: _in_path(found[1], fields.pop(found[1], "")), call.path)
    if call.body == "*":
        return Request(call.verb, path, httpx.QueryParams(), fields)
    body = fields.pop(call.body, {}) if call.body else None
    return Request(call.verb, path, httpx.QueryParams(_query(fields)), body)


def _in_path(name: str, value: object) -> str:
    if not value:
        raise BadRequest(name, "is missing")
    return quote(str(value), safe="")


def _query(fields: Mapping[str, Any], above: str = "") -> list[tuple[str, Primitive]]:
    """Parameters: a list is named for each item, a field of a message after a dot."""
    made: list[tuple[str, Primitive]] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            made += _query(value, f"{above}{name}.")
        else:
            made += [(above + name, _parameter(one)) for one in (value if isinstance(value, list) else [value])]
    return made


def _parameter(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def answer_of(call: Call[A], response: httpx.Response, request_id: str) -> Answer[A]:
    """The answer of a call that was not refused. Raises `BadAnswer`."""
    body = _json(response)
    if body is None:
        raise BadAnswer(call.name, "no JSON object")
    value, headers = call.answer.from_json(body), response.headers
    return Answer(
        value,
        token=headers.get("x-lyceum-token") or str(body.get("consistency_token", "")),
        is_stale=headers.get("x-lyceum-stale") == "true",
        request_id=headers.get("x-request-id", request_id),
        content_id=headers.get("x-lyceum-content-id", ""),
    )


def message_of(call: Call[A], data: str) -> A:
    """A message of a stream. Raises `BadAnswer`."""
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadAnswer(call.name, "no JSON object")
    return call.answer.from_json(found)


def refusal_of(call: Call[A], response: httpx.Response, request_id: str) -> Refused:
    """The refusal that a response is; also of what is not ours and stands before the gateway."""
    body = _json(response) or {}
    code = body.get("code")
    code = code if isinstance(code, int) and code else _HTTP_CODES.get(response.status_code, 2)
    info = _info(body)
    return CLASSES.get(code, Refused)(
        call.name,
        code=code,
        message=str(body.get("message") or f"status {response.status_code}"),
        reason=str(info.get("reason", "")),
        field=_field(info),
        request_id=response.headers.get("x-request-id", request_id),
        retry_after_s=_retry_after_s(response),
    )


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _info(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `google.rpc.ErrorInfo` among the details."""
    details = body.get("details")
    found = details if isinstance(details, list) else []
    return next((one for one in found if isinstance(one, dict) and "reason" in one), {})


def _field(info: Mapping[str, Any]) -> str:
    metadata = info.get("metadata")
    return str(metadata.get("field", "")) if isinstance(metadata, dict) else ""


def _retry_after_s(response: httpx.Response) -> float | None:
    told = response.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() else None

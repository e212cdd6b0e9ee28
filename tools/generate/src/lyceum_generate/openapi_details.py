"""What the plugin cannot know of the OpenAPI document: tokens, headers, forms, limits, refusals. Policies know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lyceum_gateway.bodies import FORMS, max_bytes
from lyceum_gateway.method import Bearer, Method
from lyceum_generate.methods import described, method, pool_of
from lyceum_tree.written import Plain
from servicekit.policy import Policy

VERSION = "3.1.0"
Examples = Mapping[str, Mapping[str, Any]]
"""`request` and `answer` of operations by their ids."""
BEARER = "accessToken"
STATUS = "#/components/schemas/google.rpc.Status"
ABOUT = """JSON of google.rpc.Status answers everything that is refused; `details` name the field.
Fields and query parameters that are not described here are refused. Bodies are UTF-8."""
_SECURITY: Mapping[Bearer, list[dict[str, list[str]]]] = {
    "demanded": [{BEARER: []}],
    "checked": [{}, {BEARER: []}],
    "ignored": [],
}
_IDEMPOTENCY_KEY = {
    "name": "idempotency-key",
    "in": "header",
    "description": "A repetition under the same key gets the first answer; another input under it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}
_AFTER = {
    "name": "x-lyceum-after",
    "in": "header",
    "description": "`x-lyceum-token`s of commands, with commas between: the answer waits for what they did, or says "
    "`x-lyceum-stale: true`.",
    "schema": {"type": "string"},
}
_REFUSALS = {
    "Malformed": "The request is malformed, or a field is refused.",
    "Unauthenticated": "The access token is missing, over or not ours.",
    "TooLarge": "The body is larger than this path takes.",
    "TooMany": "Too many requests of all, or of this client.",
}
_RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "integer"}}


def with_details(document: str, descriptors: Path, examples: Examples) -> str:
    """The plugin's document with all that it cannot know, and with examples by the ids of operations. Raises KeyError
    for an RPC that it does not describe."""
    head = "".join(f"{line}\n" for line in document.splitlines() if line.startswith("#"))
    told = yaml.safe_load(document)
    told["openapi"] = VERSION  # the plugin writes 3.0.3; nothing of what it writes means another thing in 3.1
    told["info"]["description"] = ABOUT
    told |= {"servers": [{"url": "/", "description": "Where this document was got."}]}
    for one, policy in described(pool_of(descriptors)):
        known = method(one, policy)
        operation = told["paths"][known.path][known.verb.lower()]
        _tell(operation, known, policy)
        _show(operation, examples.get(operation["operationId"], {}))
    _enumerate(told["components"]["schemas"])
    told["components"] |= {"securitySchemes": {BEARER: _SCHEME}, "responses": _responses()}
    order = ("openapi", "info", "servers", "paths", "components", "tags")
    text = yaml.dump({key: told[key] for key in order}, Dumper=Plain, sort_keys=False, allow_unicode=True, width=120)
    return f"{head}\n{text}"


_SCHEME = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Of `POST /v1/sessions`."}


_WORD = r"`([a-z_]+)`(?: \([^)]*\))?"
_CLOSED_LIST = re.compile(rf"{_WORD}(?:(?:, or |, | or ){_WORD})+(?=[.;, ]|$)")


def words_of(description: str) -> list[str]:
    """The words of a closed list that a comment begins with, as "`free` or `paid`."; none where it begins otherwise."""
    found = _CLOSED_LIST.match(description)
    return re.findall(_WORD, found[0]) if found else []


def _enumerate(schemas: Mapping[str, Any]) -> None:
    """Closed lists are told once, by the comments of the protos, and stand here as enums, too."""
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("type") == "string" and (words := words_of(field.get("description", ""))):
                field["enum"] = words


def _responses() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": STATUS}}}
    made: dict[str, Any] = {name: {"description": said, "content": content} for name, said in _REFUSALS.items()}
    made["TooMany"]["headers"] = {"retry-after": _RETRY_AFTER}
    return made


def _tell(operation: dict[str, Any], known: Method, policy: Policy) -> None:
    operation["security"] = _SECURITY[known.bearer]
    headers = [_IDEMPOTENCY_KEY] * policy.idempotent + [_AFTER] * bool(policy.reads)
    if headers:
        operation["parameters"] = [*operation.get("parameters", []), *headers]
    if "requestBody" in operation:
        operation["requestBody"] = _body(operation["requestBody"], known)
    refusals = {"400": "Malformed", "401": "Unauthenticated", "413": "TooLarge", "429": "TooMany"}
    if known.bearer == "ignored":
        del refusals["401"]
    if "requestBody" not in operation:
        del refusals["413"]
    named = {status: {"$ref": f"#/components/responses/{name}"} for status, name in refusals.items()}
    if known.streams:
        answer = operation["responses"]["200"]
        answer["description"] = "Server-sent events, each with one of these as `data`."
        answer["content"] = {"text/event-stream": answer["content"]["application/json"]}
    default = operation["responses"].pop("default")
    operation["responses"] |= {**named, "default": {**default, "description": "Whatever else is refused."}}


def _show(operation: dict[str, Any], example: Mapping[str, Any]) -> None:
    """An example of the request and of the answer, where they are JSON."""
    parts = {"request": operation.get("requestBody", {}), "answer": operation["responses"]["200"]}
    for name, part in parts.items():
        for kind, content in part.get("content", {}).items():
            if name in example and kind != "*/*":
                content["example"] = example[name]


def _body(body: dict[str, Any], known: Method) -> dict[str, Any]:
    """What is not JSON of ours is any bytes; a form has the fields of the JSON."""
    content = body["content"] if known.body else {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    if known.path in FORMS:
        content = {**content, "application/x-www-form-urlencoded": content["application/json"]}
    return {"description": f"At most {max_bytes(known)} bytes.", "content": content, "required": True}

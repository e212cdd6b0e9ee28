"""Requests that keep to the OpenAPI document, or break it in one place, and what every answer must keep to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
import yaml
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, CheckContext, GenerationMode, Response
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

Operation = APIOperation[Any, Any, Any, Any]
Request = Case[Any]

DOCUMENT = Path(__file__).parents[3] / "deploy/gateway/openapi.yaml"
INNER = (b"traceback", b"protobuf", b"psycopg", b"codec", b"upstream", b"envoy", b"illegal header", b"metadata size")
"""What tells of the inside, wherever it stands in an answer."""
_JSON = "application/json"
_ONCE = "idempotency-key"
"""Left out where a request is to work: it would get the answer to the first."""
_KEPT_OF_4 = 3
"""How many of four fields of a request that works are left as they are."""


def no_inner_words(_: CheckContext, response: Response, case: Request) -> None:
    """An answer does not tell what it was made by."""
    found = [word for word in INNER if word in response.content.lower()]
    assert not found, (found, response.content)


CHECKS: list[CheckFunction] = [
    not_a_server_error,
    no_inner_words,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass(frozen=True)
class Working:
    """Values with which requests work: of parameters by their names, and bodies by the ids of operations."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    bodies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def stated() -> Mapping[str, Operation]:
    """Every operation of the document by its id."""
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    for name, schema in document["components"]["schemas"].items():
        if name.startswith("lyceum."):
            schema["additionalProperties"] = False  # said in its description: other fields are refused
    # Tokens are the trial's own; what headers may hold as bytes is tried elsewhere.
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_dict(document, config=config)
    paths = document["paths"].items()
    return {raw["operationId"]: schema[path][verb.upper()] for path, verbs in paths for verb, raw in verbs.items()}


def is_stream(operation: Operation) -> bool:
    """Whether it answers with server-sent events."""
    return "text/event-stream" in operation.definition.raw["responses"]["200"].get("content", {})


def requests_to(operation: Operation, working: Working) -> st.SearchStrategy[Request]:
    """Requests to an operation: some keep to the document with any values, some are close to what works, and some
    break the document in one place, where it has one to break."""
    kept = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    near = _near(kept, working.parameters, working.bodies.get(operation.definition.raw["operationId"], {}))
    if not _is_breakable(operation):
        return st.one_of(near, kept)
    return st.one_of(near, kept, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))


def _is_breakable(operation: Operation) -> bool:
    """Whether a request can be wrong by the document: paths and headers are any text, and so are raw bodies."""
    return bool(operation.query) or any(one.media_type == _JSON for one in operation.body)


@st.composite
def _near(
    draw: st.DrawFn, kept: st.SearchStrategy[Request], parameters: Mapping[str, Any], body: Mapping[str, Any]
) -> Request:
    """A request that works but for some of its values."""
    case = draw(kept)
    for part in (case.path_parameters, case.query, case.headers):
        for name in part.keys() & parameters.keys():
            part[name] = parameters[name]
    case.headers.pop(_ONCE, None)
    if body and isinstance(case.body, dict):
        case.body = {**body, **{name: one for name, one in case.body.items() if draw(st.integers(1, 4)) > _KEPT_OF_4}}
    return case

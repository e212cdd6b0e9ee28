"""What the gateway itself answers: fixed sentences of google.rpc.Status.

None repeats the request, but for the name of a field that the filters found harmless.
"""

from __future__ import annotations

from collections.abc import Mapping

from lyceum_gateway import notes

_SENTENCES = {
    400: (3, "the request is malformed"),
    401: (16, "a valid access token is needed"),
    403: (7, "not permitted"),
    404: (5, "there is nothing here"),
    405: (12, "this method is not served here"),
    408: (4, "the request did not arrive in time"),
    413: (3, "the request body is too large"),
    415: (3, "this content type is not understood"),
    429: (8, "too many requests; try again shortly"),
    431: (3, "the request headers are too large"),
    500: (13, "internal error"),
    502: (14, "the service is not available; try again shortly"),
    503: (14, "the service is not available; try again shortly"),
    504: (4, "the service did not answer in time"),
}
_OTHER = (2, "the request could not be served")
_MAPPED = {403: 401}
"""Of itself Envoy forbids only tokens for another audience, which are as invalid as others; roles are told apart."""
_GRPC_CODES = {404: 12}
"""Where gRPC has another code for it: a method that nobody serves."""
_HEADERS = {429: {"retry-after": "1"}}
_INFO, _BAD = ("type.googleapis.com/google.rpc.ErrorInfo", "type.googleapis.com/google.rpc.BadRequest")
_FIELD, _SAID = "%DYNAMIC_METADATA(lyceum:field)%", "%DYNAMIC_METADATA(lyceum:said)%"

Part = Mapping[str, object]
ANY: Part = {"present_match": True}


def replies() -> list[Part]:
    """The first that matches answers; direct responses below 400 keep their own body."""
    known = [one for status in sorted(_SENTENCES) for one in _answers("EQ", status, _MAPPED.get(status, status))]
    return [*_pages(), *_about_a_field(), *_about_a_role(), *known, *_answers("GE", 400, 0)]


def _pages() -> list[Part]:
    """What a browser shows where the pages themselves cannot: a plain text in both languages."""
    limited = _page("EQ", 429, f"{_SENTENCES[429][1]} 请求过多，请稍后再试\n", {"retry-after": "1"})
    return [
        limited,
        _page(
            "GE", 400, "the pages cannot be shown at the moment; try again shortly 页面暂时无法显示，请稍后再试\n", {}
        ),
    ]


def _page(comparison: str, status: int, sentence: str, headers: Mapping[str, str]) -> Part:
    as_text = {"text_format_source": {"inline_string": sentence}, "content_type": "text/plain; charset=utf-8"}
    about = _both(_status(comparison, status), _noted("page"))
    kept = {**headers, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return {"filter": about, "body_format_override": as_text, "headers_to_add": _added(kept)}


def _answers(comparison: str, status: int, said_as: int) -> list[Part]:
    """gRPC clients get the sentence and code in headers, others as JSON."""
    code, message = _SENTENCES.get(said_as, _OTHER)
    about = _status(comparison, status)
    as_json = {"json_format": {"code": code, "message": message, "details": []}, "content_type": "application/json"}
    as_text = {"text_format_source": {"inline_string": message}}
    headers = _HEADERS.get(said_as, {})
    grpc = {**headers, "grpc-status": str(_GRPC_CODES.get(said_as, code))}
    changed = {"status_code": said_as} if said_as not in (0, status) else {}
    return [
        {"filter": _both(about, _BY_GRPC), "body_format_override": as_text, "headers_to_add": _added(grpc), **changed},
        {"filter": about, "body_format_override": as_json, "headers_to_add": _added(headers), **changed},
    ]


def _about_a_field() -> list[Part]:
    """As services refuse input: what the filters noted of the field."""
    info = {"@type": _INFO, "reason": "INVALID_INPUT", "domain": "lyceum", "metadata": {"field": _FIELD}}
    bad = {"@type": _BAD, "field_violations": [{"field": _FIELD, "description": _SAID}]}
    body = {"code": 3, "message": _SAID, "details": [info, bad]}
    about = _both(_status("EQ", 400), _noted("field"))
    as_text = {"text_format_source": {"inline_string": f"{_FIELD}: {_SAID}"}}
    return [
        {
            "filter": _both(about, _BY_GRPC),
            "body_format_override": as_text,
            "headers_to_add": _added({"grpc-status": "3"}),
        },
        {"filter": about, "body_format_override": {"json_format": body, "content_type": "application/json"}},
    ]


def _about_a_role() -> list[Part]:
    """As services refuse those who may not: with a token that is valid, Envoy forbids nothing else."""
    code, message = 7, "this needs one of the roles: %DYNAMIC_METADATA(lyceum:roles)%"
    info = {"@type": _INFO, "reason": "NOT_PERMITTED", "domain": "lyceum", "metadata": {}}
    body = {"code": code, "message": message, "details": [info]}
    as_text = {"text_format_source": {"inline_string": message}}
    grpc = _added({"grpc-status": str(code)})
    about = _both(_status("EQ", 403), _noted("token", "sub", by=notes.TOKEN))
    as_json = {"json_format": body, "content_type": "application/json"}
    return [
        {"filter": _both(about, _BY_GRPC), "body_format_override": as_text, "headers_to_add": grpc},
        {"filter": about, "body_format_override": as_json},
    ]


def _noted(*path: str, value: Part = ANY, by: str = notes.OURS) -> Part:
    """Of a request of which this was noted there."""
    return {"metadata_filter": {"matcher": notes.matcher(by, path, value), "match_if_key_not_found": False}}


REFUSED_BY_ROLE = _noted("enforced_engine_result", value=notes.equal_to("denied"), by=notes.ROLES)
"""For logs: of a request that the rules of roles refused. It is noted only after the answer was made."""
_BY_GRPC = _noted("road", value=notes.equal_to("grpc"))


def _status(comparison: str, status: int) -> Part:
    key = f"gateway.reply_{comparison.lower()}_{status}"
    matches = {"value": {"default_value": status, "runtime_key": key}, "op": comparison}
    return {"status_code_filter": {"comparison": matches}}


def _both(*filters: Part) -> Part:
    return {"and_filter": {"filters": list(filters)}}


def _added(headers: Mapping[str, str]) -> list[Part]:
    return [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in headers.items()
    ]

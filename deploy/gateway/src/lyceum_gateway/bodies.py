"""How large the body of a request may be, and where it may be a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lyceum_gateway.method import Method

USUAL_BYTES: Final = 256 * 1024
LARGE_BYTES: Final = 4 * 1024 * 1024
"""Of batches, long texts, and whatever comes as gRPC."""
SMALL_BYTES: Final = 16 * 1024
FORMS: Final = ("/register", "/publish")
"""The paths that take `application/x-www-form-urlencoded`, too."""
_LONG_TEXTS: Final = ("/publish", "/v1/contents")
_BUFFER = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute"


def max_bytes(method: Method) -> int:
    """The most that the JSON or form body of this RPC may have."""
    if method.path == "/register":
        return SMALL_BYTES
    is_batch = method.rate == "import" or method.path.endswith(":batch")
    return LARGE_BYTES if is_batch or method.path in _LONG_TEXTS else USUAL_BYTES


def own_limits(methods: Sequence[Method]) -> list[Mapping[str, object]]:
    """Routes of the paths that have another limit than the usual. Their cluster never sees a request."""
    limited = {one.path: max_bytes(one) for one in methods if one.body and max_bytes(one) != USUAL_BYTES}
    return [
        {"match": {"path": path}, "route": {"cluster": "identity"}, "typed_per_filter_config": buffer(most)}
        for path, most in limited.items()
    ]


def buffer(most: int) -> Mapping[str, object]:
    """What a route says of the size of its requests, in bytes."""
    return {"envoy.filters.http.buffer": {"@type": _BUFFER, "buffer": {"max_request_bytes": most}}}

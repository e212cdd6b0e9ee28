"""The gateway's Envoy configuration, rendered from the one template that every deployment uses."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from lyceum_gateway import bodies, notes, pages, tables, watching
from lyceum_gateway.limits import CLIENTS, Limits
from lyceum_gateway.methods import METHODS
from lyceum_gateway.pages import Pages
from lyceum_gateway.replies import REFUSED_BY_ROLE, replies
from lyceum_gateway.services import SERVICES
from lyceum_gateway.upstream import UpstreamTls, over_tls
from lyceum_gateway.upstreams import Address, cluster

_INSTALLED = Path(__file__).parent / "files"
HOME = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2]
ANY_HOST = "0.0.0.0"  # noqa: S104 - compared with, not bound

_ARRIVAL = ("refuse", "text", "query", "routes", "arrival")
_BODY = ("refuse", "text", "json", "form", "body")
"""The parts of the two filters in Lua, in their order."""


_LOGGED = {
    "at": "%START_TIME%",
    "method": "%DYNAMIC_METADATA(lyceum:method)%",
    "route": "%DYNAMIC_METADATA(lyceum:route)%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS_NUMBER%",
    "duration_ms": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "client_request_id": "%REQ(X-CLIENT-REQUEST-ID)%",
    "flags": "%RESPONSE_FLAGS%",
}
"""A line of the access log. What a request means was noted by the first look at it; unknown paths have no route."""


_REFUSED = {
    "at": "%START_TIME%",
    "logger": "security",
    "event": "refused",
    "status": "PERMISSION_DENIED",
    "reason": "NOT_PERMITTED",
    "method": "%DYNAMIC_METADATA(lyceum:method)%",
    "member_id": f"%DYNAMIC_METADATA({notes.TOKEN}:token:sub)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}
"""A line of the security log: of whom a role was asked for that their token does not have."""


@dataclass(frozen=True)
class Gateway:
    """What differs between deployments. `targets` maps each service to (host, port) of its gRPC servers;
    `trusted_hops` is how many proxies of ours before it add to x-forwarded-for: the client is who they say. Without
    `pages` there is no web client behind it. With `upstream_tls` the services are reached over mutual TLS. At
    `metrics_port` it shows its own figures; with 0 nowhere. While the median of its answers takes longer than
    `slow_answer_s` it lets in fewer calls at once, but never fewer than `least_at_once`; a query may wait 2 s for what
    its caller has written, so it must be more than that.
    """

    targets: Mapping[str, Sequence[Address]]
    listener_port: int
    admin_port: int
    issuer: str
    audience: str
    listener_host: str = "127.0.0.1"
    admin_host: str = "127.0.0.1"
    descriptors: Path = HOME / "lyceum.binpb"
    openapi: Path = HOME / "openapi.yaml"
    allowed_origins: Sequence[str] = field(default_factory=tuple)
    limits: Limits = field(default_factory=Limits)
    trusted_hops: int = 0
    pages: Pages | None = None
    upstream_tls: UpstreamTls | None = None
    metrics_port: int = 0
    slow_answer_s: float = 2.5
    least_at_once: int = 100


def render(gateway: Gateway) -> str:
    """The Envoy configuration as YAML. Raises KeyError when a service has no target."""
    names = ("listener_host", "listener_port", "admin_host", "admin_port")
    values: dict[str, object] = {name: getattr(gateway, name) for name in names}
    values |= {
        "listeners": _listeners(gateway),
        "loopback_host": "127.0.0.1" if gateway.listener_host == ANY_HOST else gateway.listener_host,
        "clusters": _entries(list(_clusters(gateway)), 4),
    }
    return _filled("envoy.yaml.tmpl", values)


def _clusters(gateway: Gateway) -> Iterator[Mapping[str, object]]:
    for service in SERVICES:
        addresses = gateway.targets[service]
        yield {**cluster(service, addresses), **over_tls(gateway.upstream_tls, addresses[0][0])}
    if gateway.pages:
        yield pages.cluster(gateway.pages)
    if gateway.metrics_port:
        yield watching.cluster(gateway.admin_host, gateway.admin_port)


def _listeners(gateway: Gateway) -> str:
    """The door for everybody and, where they are wanted, those for the web client and for figures alone."""
    has_pages = gateway.pages is not None
    doors = [_listener(gateway, "gateway", gateway.listener_port, gateway.trusted_hops, has_pages=has_pages)]
    if gateway.pages:
        doors.append(_listener(gateway, "gateway_for_pages", gateway.pages.door_port, pages.HOPS))
    if gateway.metrics_port:
        doors.append(_entries([watching.listener(gateway.listener_host, gateway.metrics_port)], 4))
    return "\n    ".join(doors)


def _listener(gateway: Gateway, name: str, port: int, trusted_hops: int, *, has_pages: bool = False) -> str:
    """As an item of the template's list, whose first line the template indents."""
    values = {
        "name": name,
        "port": port,
        "listener_host": gateway.listener_host,
        "trusted_hops": trusted_hops,
        "issuer": json.dumps(gateway.issuer),
        "audience": json.dumps(gateway.audience),
        "descriptors": json.dumps(str(gateway.descriptors)),
        "openapi": json.dumps(str(gateway.openapi)),
        "slow_answer": f"{gateway.slow_answer_s}s",
        "least_at_once": gateway.least_at_once,
        "api_page": json.dumps(str(gateway.openapi.with_name("api.html"))),
        "transport_security": _transport_security(gateway),
        "arrival_filter": _filter(tables.routes() + tables.fields() + tables.pages(has_pages), _ARRIVAL),
        "body_filter": _filter(tables.fields() + tables.forms(), _BODY),
        "access_log": json.dumps(_LOGGED),
        "security_log": json.dumps(_REFUSED),
        "refused_by_role": json.dumps(REFUSED_BY_ROLE),
        "role_rules": json.dumps(tables.role_rules()),
        "limit_for_all": json.dumps(gateway.limits.for_all),
        "limits_for_each": json.dumps(gateway.limits.for_each),
        "counted_clients": CLIENTS,
        "local_replies": json.dumps(replies()),
        "token_rules": _entries([*([pages.token_rule()] if has_pages else []), *tables.token_rules()], 20),
        "origins": json.dumps([{"exact": origin} for origin in gateway.allowed_origins]),
        "services": json.dumps([name for _, name in _served()]),
        "usual_body_bytes": bodies.USUAL_BYTES,
        "body_limits": _entries(bodies.own_limits(METHODS), 20),
        "service_routes": _entries([*_streams(), *(_route(*one) for one in _served())], 20),
        "page_routes": _entries(pages.routes() if has_pages else [], 20),
    }
    return textwrap.indent(_filled("listener.yaml.tmpl", values), "    ").strip()


def _transport_security(gateway: Gateway) -> str:
    """Where clients come over https they are to keep to it; elsewhere the header would lock them out."""
    if not gateway.issuer.startswith("https://"):
        return ""
    header = {"key": "strict-transport-security", "value": "max-age=31536000"}
    return _entries([{"header": header, "append_action": "ADD_IF_ABSENT"}], 16)


def _filled(template: str, values: Mapping[str, object]) -> str:
    return Template((HOME / template).read_text(encoding="utf-8")).substitute(values)


def _entries(items: Sequence[Mapping[str, object]], indent: int) -> str:
    """Entries of a block list, each on one line as JSON (which YAML includes); the template indents the first."""
    return f"\n{' ' * indent}".join(f"- {json.dumps(item)}" for item in items)


def _served() -> list[tuple[str, str]]:
    """Each service with the full name of each gRPC service that it serves."""
    return [(service, name) for service, names in SERVICES.items() for name in names]


def _filter(table: str, parts: Sequence[str]) -> str:
    """A filter in Lua as a text of YAML: the table that it reads, then its parts."""
    return json.dumps(table + "".join((HOME / "lua" / f"{part}.lua").read_text(encoding="utf-8") for part in parts))


_RETRIES: Mapping[str, object] = {
    # Only what no server has begun with: nothing of a call is done twice by it. CANCELLED is what gRPC itself says of a
    # call that comes in while its server closes; our servers answer all that they have begun with before, and never so.
    "retry_on": "connect-failure,refused-stream,reset-before-request,retriable-headers,cancelled",
    "retriable_headers": [{"name": "x-lyceum-not-taken", "present_match": True}],
    "num_retries": 20,
    "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }
    ],
    "host_selection_retry_max_attempts": 3,
}
"""Another replica is asked where there is one; a lone server that is started again is waited for, some 9 s."""


def _streams() -> Iterator[dict[str, object]]:
    """A stream goes on until its server ends it; the server says something at least every 15 s."""
    for service, name in _served():
        for one in METHODS:
            if one.streams and one.grpc.startswith(f"/{name}/"):
                route = {"cluster": service, "timeout": "0s", "idle_timeout": "60s", "retry_policy": _RETRIES}
                own = {"envoy.filters.http.adaptive_concurrency": pages.OFF}
                yield {"match": {"path": one.grpc}, "route": route, "typed_per_filter_config": own}


def _route(service: str, full_name: str) -> dict[str, object]:
    """Native gRPC may be as large as a batch; JSON was measured on the route of its own path."""
    return {
        "match": {"prefix": f"/{full_name}/"},
        "route": {"cluster": service, "timeout": "30s", "retry_policy": _RETRIES},
        "typed_per_filter_config": bodies.buffer(bodies.LARGE_BYTES),
    }

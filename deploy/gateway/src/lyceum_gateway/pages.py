"""The pages for browsers: a web client behind the gateway, under a path of its own.

It is no service: it speaks to the gateway like any other client, through a door of its own. What it says there of the
addresses of its browsers is believed, so that limits count each of them and not the web client; nobody else may reach
that door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lyceum_gateway import bodies

PATH: Final = "/web"
LOG_IN: Final = "/web/login"
HOPS: Final = 1
"""The web client is the one proxy before its door."""
FORM_BYTES: Final = 32 * 1024
TIMEOUT_S: Final = 20
"""A little more than the web client gives itself for a page."""
IDLE_S: Final = 60
"""The web client keeps idle connections longer."""
MAX_RETRIES: Final = 100
NOT_BEGUN: Final = "connect-failure,refused-stream,reset-before-request"
OFF: Final = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
"""Of a filter that a route does without."""


@dataclass(frozen=True)
class Pages:
    """Where the web client listens, and the port of the gateway's door for it."""

    host: str
    port: int
    door_port: int


def routes() -> list[Mapping[str, object]]:
    """Everything under the path goes to the web client as it came. Tried again, some 9 s, is what it has not begun
    with: while it is started again. What is only read is tried again also where a connection ended under it."""
    reading = [{"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}]
    return [_route({"headers": reading}, "connect-failure,refused-stream,reset"), _route({}, NOT_BEGUN)]


def _route(also: Mapping[str, object], retry_on: str) -> Mapping[str, object]:
    return {
        "match": {"path_separated_prefix": PATH, **also},
        "route": {
            "cluster": "web",
            "timeout": f"{TIMEOUT_S}s",
            "retry_policy": {
                "retry_on": retry_on,
                "num_retries": 20,
                "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
            },
        },
        "typed_per_filter_config": {
            "envoy.filters.http.grpc_json_transcoder": OFF,
            "envoy.filters.http.grpc_web": OFF,
            "envoy.filters.http.cors": OFF,
            **bodies.buffer(FORM_BYTES),
        },
    }


def cluster(pages: Pages) -> Mapping[str, object]:
    """The web client speaks HTTP/1."""
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    address = {"socket_address": {"address": pages.host, "port_value": pages.port}}
    return {
        "name": "web",
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [{"max_retries": MAX_RETRIES}]},
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "common_http_protocol_options": {"idle_timeout": f"{IDLE_S}s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": "web",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def token_rule() -> Mapping[str, object]:
    """Browsers have a cookie, which is the web client's affair."""
    return {"match": {"path_separated_prefix": PATH}}

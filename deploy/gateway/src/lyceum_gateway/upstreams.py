"""The servers of a service as Envoy's cluster: which of them are asked, and how many calls wait for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Address = tuple[str, int]
MAX_RETRIES = 1000
"""Calls to one service that wait to be tried again."""
MAX_CALLS, MAX_WAITING, MAX_CONNECTIONS = 8192, 4096, 1024
"""To one service at a time; more are refused at once. Each is far above what its servers take, so that they are who
refuses first, by a status of theirs."""
CHECK_EVERY_S, CHECK_WITHIN_S = 2, 1

HEALTH_CHECK: Mapping[str, object] = {
    "interval": f"{CHECK_EVERY_S}s",
    "no_traffic_interval": f"{CHECK_EVERY_S}s",  # otherwise the first looks are a minute apart
    "timeout": f"{CHECK_WITHIN_S}s",
    # A server that is being stopped says so and serves on for a while: it is passed over at the next look.
    "unhealthy_threshold": 1,
    "healthy_threshold": 1,
    "grpc_health_check": {},
}
OUTLIERS: Mapping[str, object] = {
    # A server that answers its health check and fails one call after another is passed over for a while. What counts is
    # UNAVAILABLE and what never came: other failures may be the calls' own.
    "consecutive_gateway_failure": 5,
    "enforcing_consecutive_gateway_failure": 100,
    "consecutive_5xx": 1000,
    "enforcing_consecutive_5xx": 0,
    "enforcing_success_rate": 0,
    "interval": "2s",
    "base_ejection_time": "10s",
    "max_ejection_time": "60s",
    "successful_active_health_check_uneject_host": False,  # its health check is what it passes all the while
    # Never more than half (the bound itself is not reached): if most fail, it is not they who are wrong. So a lone
    # server is never passed over.
    "max_ejection_percent": 51,
}

CHOICE: Mapping[str, object] = {
    "healthy_panic_threshold": {"value": 1},  # all are asked only when none is well
    "update_merge_window": "0s",  # who was passed over is not asked for a second more: there are few
}


def cluster(service: str, addresses: Sequence[Address]) -> dict[str, object]:
    """The servers of a service. A host name may stand for many: each address that it has is one. If all of them are
    unwell, all are asked: a server that is started again is waited for."""
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}} for host, port in addresses
    ]
    limits = {
        "max_retries": MAX_RETRIES,
        "max_requests": MAX_CALLS,
        "max_pending_requests": MAX_WAITING,
        "max_connections": MAX_CONNECTIONS,
    }
    return {
        "name": service,
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [limits]},
        "common_lb_config": CHOICE,
        "health_checks": [HEALTH_CHECK],
        "outlier_detection": OUTLIERS,
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {"cluster_name": service, "endpoints": [{"lb_endpoints": endpoints}]},
    }

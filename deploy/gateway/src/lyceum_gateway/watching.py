"""The gateway's own figures for those who collect them: one door that leads to two pages of Envoy's admin interface,
which itself stays on loopback, for it can do more than tell."""

from __future__ import annotations

CLUSTER = "gateway_admin"
PAGES = {"/stats/prometheus": "/stats/prometheus", "/live": "/server_info"}
"""Path here to path there. /live answers as long as Envoy's main thread does, also while the gateway drains."""
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def listener(host: str, port: int) -> dict[str, object]:
    """The door, as Envoy's configuration spells it."""
    routes = [
        {
            "match": {"path": path, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            "route": {"cluster": CLUSTER, "prefix_rewrite": there, "timeout": "5s"},
        }
        for path, there in PAGES.items()
    ]
    manager = {
        "@type": f"type.googleapis.com/{_MANAGER}",
        "stat_prefix": "metrics",
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"type.googleapis.com/{_ROUTER}"}}
        ],
        "route_config": {"virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}]},
    }
    return {
        "name": "metrics",
        "address": {"socket_address": {"address": host, "port_value": port}},
        "ignore_global_conn_limit": True,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def cluster(host: str, port: int) -> dict[str, object]:
    """Envoy's admin interface, as a cluster."""
    address = {"socket_address": {"address": host, "port_value": port}}
    return {
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }

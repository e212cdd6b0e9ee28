"""Who may speak to whom: one list of flows, from which both ends' policies are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lyceum_k8s.edge import GATEWAY_PAGES_PORT, WEB_PORT
from lyceum_k8s.facts import Facts
from lyceum_k8s.objects import GRPC_PORT, METRICS_PORT, ROLE, SERVICE, WORKLOAD, Object, metadata
from lyceum_k8s.workloads import HAS_KAFKA
from lyceum_tree import host

DATABASE_PORT, KAFKA_PORT, DNS_PORT, HTTPS_PORT = 5432, 9093, 53, 443
PRIVATE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
]
"""Addresses that are nobody outside: what calls out does not reach the cluster's own or its machines' metadata (one
cloud has it at a public address)."""
PUBLIC_V6 = "2000::/3"
"""All that is given out of IPv6: neither private nor link-local, nor what holds an IPv4 address (`::ffff:`, NAT64)."""
PRIVATE_V6 = ["2001::/23", "2001:db8::/32", "2002::/16"]
"""Of that: tunnels that hold other addresses, and documentation."""
ASK_DATABASE = ("server", "relay", "fold", "further", "prepare", "ops", "doctor")
NODE_LOCAL_DNS = "169.254.20.10/32"
"""Where clusters with NodeLocal DNSCache answer: on each machine, so no label of a pod lets it through."""
NAMES: Object = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        },
        {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
    ],
    "ports": [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")],
}
"""Resolving names is allowed to all."""
PART = {"app.kubernetes.io/part-of": "lyceum"}


@dataclass(frozen=True)
class Flow:
    """Pods with the labels `source` open connections to pods with the labels `target` on `port`."""

    source: tuple[tuple[str, str], ...]
    target: tuple[tuple[str, str], ...]
    port: int


def flow(source: dict[str, str], target: dict[str, str], port: int) -> Flow:
    """A flow between two kinds of pods of the namespace."""
    return Flow(tuple(source.items()), tuple(target.items()), port)


def flows(services: Sequence[Facts]) -> Iterator[Flow]:
    """Every flow between the pods of the base."""
    for one in services:
        yield flow({WORKLOAD: "gateway"}, {WORKLOAD: f"{one.host}-server"}, GRPC_PORT)
    yield flow({ROLE: "server"}, {ROLE: "server"}, GRPC_PORT)
    yield flow({WORKLOAD: "web"}, {WORKLOAD: "gateway"}, GATEWAY_PAGES_PORT)
    yield flow({WORKLOAD: "gateway"}, {WORKLOAD: "web"}, WEB_PORT)


def policies(services: Sequence[Facts]) -> Iterator[Object]:
    """All policies of the base: nothing is allowed but what is written here."""
    yield _policy("default-deny", {}, ["Ingress", "Egress"])
    yield _policy("names", PART, ["Egress"], egress=[NAMES])
    yield _policy("metrics", PART, ["Ingress"], ingress=[_metrics()])
    yield from between(flows(services))
    yield from _stores(services)
    for one in services:
        if one.calls_out:
            yield _policy(f"{one.host}-calls-out", {WORKLOAD: f"{one.host}-server"}, ["Egress"], egress=[_outside()])
        for role in one.roles_call_out:
            workload = f"{one.host}-{host(role)}"
            yield _policy(f"{workload}-calls-out", {WORKLOAD: workload}, ["Egress"], egress=[_outside()])


def between(found: Iterable[Flow]) -> Iterator[Object]:
    """A policy at each end of each flow: one lets out, the other lets in."""
    for one in found:
        name = f"{_spelt(one.source)}-to-{_spelt(one.target)}"
        ports = [{"protocol": "TCP", "port": one.port}]
        to = [{"podSelector": {"matchLabels": dict(one.target)}}]
        source = [{"podSelector": {"matchLabels": dict(one.source)}}]
        yield _policy(f"out-{name}", dict(one.source), ["Egress"], egress=[{"to": to, "ports": ports}])
        yield _policy(f"in-{name}", dict(one.target), ["Ingress"], ingress=[{"from": source, "ports": ports}])


def _spelt(labels: tuple[tuple[str, str], ...]) -> str:
    return "-".join(value if key != ROLE else f"{value}s" for key, value in labels)


def _stores(services: Sequence[Facts]) -> Iterator[Object]:
    """To the databases and Kafka, wherever they are: the components that run them in this namespace open the other end,
    and an overlay whose stores are elsewhere says where."""
    for one in services:
        to = [{"podSelector": {"matchLabels": {"cnpg.io/cluster": f"{one.host}-database"}}}]
        egress = [{"to": to, "ports": [{"protocol": "TCP", "port": DATABASE_PORT}]}]
        yield _policy(f"{one.host}-to-database", {SERVICE: one.name}, ["Egress"], egress=egress, roles=ASK_DATABASE)
    brokers = [{"podSelector": {"matchLabels": {"strimzi.io/cluster": "lyceum", "strimzi.io/kind": "Kafka"}}}]
    egress = [{"to": brokers, "ports": [{"protocol": "TCP", "port": KAFKA_PORT}]}]
    yield _policy("to-kafka", PART, ["Egress"], egress=egress, roles=HAS_KAFKA)


def _metrics() -> Object:
    """Whoever collects metrics: any pod of a namespace that says so of itself."""
    namespace = {"matchLabels": {"lyceum.io/collects-metrics": "true"}}
    return {"from": [{"namespaceSelector": namespace}], "ports": [{"protocol": "TCP", "port": METRICS_PORT}]}


def _outside() -> Object:
    to = [{"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}}, {"ipBlock": {"cidr": PUBLIC_V6, "except": PRIVATE_V6}}]
    return {"to": to, "ports": [{"protocol": "TCP", "port": HTTPS_PORT}]}


def _policy(
    name: str,
    pods: dict[str, str],
    kinds: Sequence[str],
    *,
    ingress: Sequence[Object] = (),
    egress: Sequence[Object] = (),
    roles: Sequence[str] = (),
) -> Object:
    chosen: Object = {"matchLabels": pods} if pods else {}
    if roles:
        chosen["matchExpressions"] = [{"key": ROLE, "operator": "In", "values": list(roles)}]
    made: Object = {"podSelector": chosen, "policyTypes": list(kinds)}
    made |= {"ingress": list(ingress)} if ingress else {}
    made |= {"egress": list(egress)} if egress else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name, PART),
        "spec": made,
    }

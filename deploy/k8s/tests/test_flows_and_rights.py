"""Who may reach whom, and who may do what on Kafka: exactly what is listed here by hand, and nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from k8s_tests.rendered import (
    ROLE,
    WORKLOAD,
    Object,
    container,
    environment,
    host,
    label,
    named,
    of_kind,
    pods,
    template,
)

from eventfold.publish.topic_settings import complaint
from lyceum_k8s.rendering import overlays
from lyceum_tree import services
from servicekit.definition import ServiceDefinition
from servicekit.operating import group_of

each_overlay = pytest.mark.parametrize("overlay", overlays())
SERVERS = [f"{host(name)}-server" for name in services()]


def definition_of(service: str) -> ServiceDefinition:
    found: ServiceDefinition = importlib.import_module(f"{service}.bootstrap").DEFINITION
    return found


def selected(selector: Object, labels: dict[str, str]) -> bool:
    """Kubernetes' own rule: all labels and all expressions must fit; an empty selector fits all."""
    fits = selector.get("matchLabels", {}).items() <= labels.items()
    return fits and all(_fits(one, labels) for one in selector.get("matchExpressions", ()))


def _fits(expression: Object, labels: dict[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    if operator == "Exists":
        return key in labels
    assert operator == "In"
    return labels.get(key) in expression["values"]


def kinds_of_pods(overlay: str) -> dict[str, dict[str, str]]:
    """The labels of every kind of pod: ours, and those that the operators make."""
    ours = {label(pod, WORKLOAD): pod["metadata"]["labels"] for pod in pods(overlay).values()}
    databases = {name: {"cnpg.io/cluster": name} for name in named(overlay, "Cluster")}
    kafka = {"strimzi.io/cluster": "lyceum", "strimzi.io/kind": "Kafka"}
    return ours | databases | {"kafka": kafka}


def allowed(policies: list[Object], source: dict[str, str], target: dict[str, str], port: int, kind: str) -> bool:
    """Whether policies of one kind (Ingress, Egress) let a connection between pods of the namespace pass."""
    here, there, peers = (target, source, "from") if kind == "Ingress" else (source, target, "to")
    applying = [one["spec"] for one in policies if selected(one["spec"]["podSelector"], here)]
    applying = [one for one in applying if kind in one["policyTypes"]]
    assert applying, "the policy that refuses everything applies to every pod"
    return any(
        _peer(peer, there) and port in [one["port"] for one in rule["ports"]]
        for one in applying
        for rule in one.get(kind.lower(), ())
        for peer in rule[peers]
    )


def _peer(peer: Object, labels: dict[str, str]) -> bool:
    return "podSelector" in peer and "namespaceSelector" not in peer and selected(peer["podSelector"], labels)


def expected(overlay: str) -> Iterator[tuple[str, str, int]]:
    """Every connection within the namespace, by hand."""
    for one in SERVERS:
        yield "gateway", one, 50051
        yield from ((two, one, 50051) for two in SERVERS)
    yield "web", "gateway", 8081
    yield "gateway", "web", 15091
    if overlay == "local":
        yield "billing-server", "payment-simulator", 15090
        yield "payment-simulator", "gateway", 8080
    for name in services():
        definition = definition_of(name)
        folds = [f"fold-{host(group.name)}" for group in definition.groups]
        name = host(name)
        for part in ["server", "relay", "prepare", "ops", "doctor", *folds, *map(host, definition.further)]:
            yield f"{name}-{part}", f"{name}-database", 5432
        for part in ["relay", "prepare", "ops", "doctor", *folds]:
            yield f"{name}-{part}", "kafka", 9093
        yield f"{name}-database", f"{name}-database", 5432


@each_overlay
def test_exactly_the_flows_that_are_needed_are_open(overlay: str) -> None:
    policies, every = list(of_kind(overlay, "NetworkPolicy")), kinds_of_pods(overlay)
    listener = next(of_kind(overlay, "Kafka"))["spec"]["kafka"]["listeners"][0]
    # What Strimzi itself writes for the brokers: whom the listener names may come in.
    by_strimzi: Object = {
        "spec": {"podSelector": {"matchLabels": {"strimzi.io/kind": "Kafka"}}, "policyTypes": ["Ingress"]}
    }
    by_strimzi["spec"]["ingress"] = [{"from": listener["networkPolicyPeers"], "ports": [{"port": listener["port"]}]}]
    policies.append(by_strimzi)
    ports = {50051, 50052, 9464, 8080, 8081, 15091, 15090, 5432, 9093}
    open_ = {
        (source, target, port)
        for source, ours in every.items()
        for target, theirs in every.items()
        for port in ports
        if all(allowed(policies, ours, theirs, port, kind) for kind in ("Ingress", "Egress"))
    }
    open_ -= {("kafka", "kafka", port) for port in ports}
    assert open_ == set(expected(overlay))


@each_overlay
def test_both_ways_are_closed_to_every_pod_first(overlay: str) -> None:
    deny = named(overlay, "NetworkPolicy")["default-deny"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, one in named(overlay, "NetworkPolicy").items():
        for rule in [*one["spec"].get("ingress", ()), *one["spec"].get("egress", ())]:
            assert rule.get("ports") and (rule.get("from") or rule.get("to")), name


def lets_through(block: Object, address: str) -> bool:
    """Whether an ipBlock names the address."""
    ip = ip_address(address)
    return ip in ip_network(block["cidr"]) and not any(ip in ip_network(one) for one in block["except"])


@each_overlay
def test_only_who_says_so_calls_out_and_then_to_nobody_inside(overlay: str) -> None:
    out = {}
    for name, one in named(overlay, "NetworkPolicy").items():
        for rule in one["spec"].get("egress", ()):
            blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
            ours = one["spec"]["podSelector"].get("matchLabels", {})
            if blocks and WORKLOAD in ours:
                out[ours[WORKLOAD]] = (name, blocks)
    roles = {f"{host(name)}-{host(role)}" for name, one in services().items() for role in one.roles_call_out}
    assert set(out) == {f"{host(name)}-server" for name, one in services().items() if one.calls_out} | roles
    assert set(out) == {"identity-server", "billing-server", "notifications-send"}
    for _, blocks in out.values():
        (v4,) = [one for one in blocks if one["cidr"] == "0.0.0.0/0"]
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(v4["except"])
        (v6,) = [one for one in blocks if ":" in one["cidr"]]
        for inside in ("::1", "fe80::1", "fc00::1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"):
            assert not lets_through(v6, inside), inside
        assert lets_through(v6, "2606:4700::1") and lets_through(v4, "1.1.1.1")


@each_overlay
def test_topics_are_those_of_the_code_and_fit_what_it_checks(overlay: str) -> None:
    found = named(overlay, "KafkaTopic")
    declared = {topic for name in services() for topic in definition_of(name).topics}
    assert set(found) == declared
    for one in found.values():
        spec = one["spec"]
        assert spec["topicName"] == one["metadata"]["name"]
        assert complaint({key: str(value) for key, value in spec["config"].items()}, spec["replicas"]) is None
    told = environment(overlay, template(next(of_kind(overlay, "Job"))))
    assert {str(one["spec"]["partitions"]) for one in found.values()} == {told["TOPIC_PARTITIONS"]}
    assert {str(one["spec"]["replicas"]) for one in found.values()} == {told["TOPIC_REPLICATION"]}


def rights(overlay: str) -> Iterator[tuple[str, str, str, str, str]]:
    """user, operation, kind, pattern, name."""
    for user, one in named(overlay, "KafkaUser").items():
        assert one["spec"]["authentication"] == {"type": "tls"}
        for acl in one["spec"]["authorization"]["acls"]:
            resource = acl["resource"]
            assert acl.get("type", "allow") == "allow"
            for operation in acl["operations"]:
                yield user, operation, resource["type"], resource["patternType"], resource["name"]


@each_overlay
def test_who_may_write_where(overlay: str) -> None:
    writes = {(user, name) for user, operation, kind, pattern, name in rights(overlay) if operation == "Write"}
    wanted = set()
    for service in services():
        for topic in definition_of(service).topics:
            for user in (f"{host(service)}-relay", f"{host(service)}-operator"):
                wanted |= {(user, topic), (user, f"{topic}.g")}
    assert writes == wanted


@each_overlay
def test_nobody_may_do_everything(overlay: str) -> None:
    every = list(rights(overlay))
    assert not [one for one in every if one[1] in ("All", "Alter", "ClusterAction", "IdempotentWrite")]
    assert not [one for one in every if one[4] in ("", "*") or one[2] == "cluster"]
    makers = {user for user, operation, *_ in every if operation in ("Create", "AlterConfigs", "Delete")}
    assert makers == {f"{host(name)}-operator" for name in services()}
    watcher = {operation for user, operation, *_ in every if user == "keda-lag"}
    assert watcher == {"Describe"}


@each_overlay
def test_every_fold_reads_its_topics_in_its_own_group(overlay: str, monkeypatch: Any) -> None:
    every = set(rights(overlay))
    for one in of_kind(overlay, "StatefulSet"):
        told = environment(overlay, template(one))
        for variable, value in told.items():
            monkeypatch.setenv(variable, value)
        service = label(one, "app.kubernetes.io/name")
        definition = definition_of(service)
        group = group_of(definition, definition.settings())
        assert (f"{host(service)}-fold", "Read", "group", "literal", group) in every
        (folds,) = [two for two in definition.groups if two.name == told["FOLD_GROUPS"]]
        for topic in {topic for handler in folds.handlers for topic in handler.topics}:
            assert (f"{host(service)}-fold", "Read", "topic", "literal", topic) in every
            assert (f"{host(service)}-fold", "Read", "topic", "prefix", f"{topic}.g") in every


def test_folds_scale_by_their_own_lag_and_never_above_their_partitions(monkeypatch: Any) -> None:
    scaled, topics = named("prod", "ScaledObject"), named("prod", "KafkaTopic")
    folds = named("prod", "StatefulSet")
    assert set(scaled) == set(folds)
    for name, one in scaled.items():
        spec = one["spec"]
        assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name}
        for variable, value in environment("prod", template(folds[name])).items():
            monkeypatch.setenv(variable, value)
        definition = definition_of(label(folds[name], "app.kubernetes.io/name"))
        assert {two["metadata"]["consumerGroup"] for two in spec["triggers"]} == {
            group_of(definition, definition.settings())
        }
        read = [two["metadata"]["topic"] for two in spec["triggers"]]
        assert spec["minReplicaCount"] >= 1
        assert spec["maxReplicaCount"] <= min(topics[topic]["spec"]["partitions"] for topic in read)
        assert {two["metadata"]["allowIdleConsumers"] for two in spec["triggers"]} == {"false"}
        assert "replicas" not in folds[name]["spec"], "two would say how many there are"
        (group,) = [two for two in definition.groups if name.endswith(f"-fold-{host(two.name)}")]
        assert set(read) == {topic for handler in group.handlers for topic in handler.topics}


def test_servers_scale_by_their_processors_and_there_are_always_two() -> None:
    scaled = named("prod", "HorizontalPodAutoscaler")
    assert set(scaled) == {*SERVERS, "gateway", "web"}
    for name, one in scaled.items():
        assert one["spec"]["minReplicas"] >= 2 and one["spec"]["scaleTargetRef"]["name"] == name
        only = container(template(named("prod", "Deployment")[name]))
        assert only["resources"]["requests"]["cpu"], "a share of what is not asked for is none"
        assert "replicas" not in named("prod", "Deployment")[name]["spec"]


def test_each_service_has_a_database_of_its_own_that_is_backed_up() -> None:
    clusters = named("prod", "Cluster")
    assert set(clusters) == {f"{host(name)}-database" for name in services()}
    backed_up = {one["spec"]["cluster"]["name"] for one in of_kind("prod", "ScheduledBackup")}
    assert backed_up == set(clusters)
    for one in clusters.values():
        assert one["spec"]["instances"] >= 3 and one["spec"]["postgresql"]["synchronous"]["number"] >= 1
        assert [two["isWALArchiver"] for two in one["spec"]["plugins"]] == [True]
    for pod in pods("prod").values():
        if label(pod, ROLE) in ("server", "relay", "fold", "further", "prepare"):
            assert environment("prod", pod)["PGSSLMODE"] == "verify-full"


def test_production_speaks_tls_everywhere_inside() -> None:
    held = {one["spec"]["secretName"] for one in of_kind("prod", "Certificate")}
    assert {f"{host(name)}-tls" for name in [*services(), "gateway"]} <= held
    for name, pod in pods("prod").items():
        told = environment("prod", pod) if container(pod).get("envFrom") else {}
        if label(pod, ROLE) in ("server", "relay", "fold", "further"):
            assert told["TLS_DIR"] == "/tls" and told["KAFKA_TLS_DIR"] == "/kafka-tls", name
            assert told["KAFKA_BOOTSTRAP"].endswith(":9093")
        if label(pod, ROLE) == "gateway":
            assert told["UPSTREAM_TLS_DIR"] == "/tls"

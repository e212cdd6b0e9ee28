"""The house's rules of pods, over the rendered objects of every overlay."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from k8s_tests.rendered import (
    ROLE,
    RUNS,
    WORKLOAD,
    Object,
    container,
    environment,
    host,
    label,
    named,
    objects,
    of_kind,
    pods,
    template,
)

from lyceum_gateway.environment import gateway_of
from lyceum_gateway.upstreams import CHECK_EVERY_S, CHECK_WITHIN_S
from lyceum_k8s.rendering import overlays
from lyceum_tree import services
from lyceum_web.settings import WebSettings
from servicekit.server import DRAIN_S, REFUSE_S
from servicekit.settings import ServiceSettings

SIZES = {"Mi": 1, "Gi": 1024}
PODS = [(overlay, name) for overlay in overlays() for name in pods(overlay)]
RUNNING = [(overlay, name) for overlay in overlays() for name in pods(overlay, *RUNS)]
each_pod = pytest.mark.parametrize(("overlay", "name"), PODS)
each_running = pytest.mark.parametrize(("overlay", "name"), RUNNING)
each_overlay = pytest.mark.parametrize("overlay", overlays())
OURS = re.compile(r"lyceum/[a-z-]+:\d+\.\d+\.\d+")
OTHERS = re.compile(r"[a-z.]+/[a-z/-]+:\d+\.\d+\.\d+")


def mib(quantity: str) -> int:
    return int(quantity[:-2]) * SIZES[quantity[-2:]]


def is_service(pod: Object) -> bool:
    return label(pod, "app.kubernetes.io/name") in services()


@each_pod
def test_no_pod_needs_more_than_the_restricted_standard_allows(overlay: str, name: str) -> None:
    pod = pods(overlay)[name]
    spec, only = pod["spec"], container(pod)
    said = spec["securityContext"]
    assert (said["runAsNonRoot"], said["runAsUser"], said["runAsGroup"]) == (True, 10001, 10001)
    assert said["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"} & set(spec)
    kinds = {kind for volume in spec["volumes"] for kind in volume} - {"name"}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected"}


@each_pod
def test_every_workload_has_an_account_of_its_own_and_no_token(overlay: str, name: str) -> None:
    pod = pods(overlay)[name]
    account = pod["spec"]["serviceAccountName"]
    assert account == label(pod, WORKLOAD)
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert named(overlay, "ServiceAccount")[account]["automountServiceAccountToken"] is False
    assert pod["spec"]["enableServiceLinks"] is False, "links would set variables that read like settings"


@each_pod
def test_what_a_pod_takes_is_asked_for_and_bounded(overlay: str, name: str) -> None:
    pod = pods(overlay)[name]
    resources = container(pod)["resources"]
    assert set(resources["requests"]) == {"cpu", "memory", "ephemeral-storage"}
    assert {"memory", "ephemeral-storage"} <= set(resources["limits"])
    for kind in ("memory", "ephemeral-storage"):
        assert 0 < mib(resources["requests"][kind]) <= mib(resources["limits"][kind])
    for volume in pod["spec"]["volumes"]:
        if "emptyDir" in volume:
            assert mib(volume["emptyDir"]["sizeLimit"]) <= mib(resources["limits"]["ephemeral-storage"])
    assert [one for one in container(pod)["volumeMounts"] if one["mountPath"] == "/tmp"]  # noqa: S108 - a mount


@each_pod
def test_images_have_a_version_and_are_pulled_once(overlay: str, name: str) -> None:
    image = container(pods(overlay)[name])["image"]
    assert OURS.fullmatch(image) or OTHERS.fullmatch(image)
    assert container(pods(overlay)[name])["imagePullPolicy"] == "IfNotPresent"


@each_running
def test_what_runs_is_asked_whether_it_started_is_ready_and_gets_on(overlay: str, name: str) -> None:
    pod = pods(overlay)[name]
    only = container(pod)
    if label(pod, ROLE) == "ops":
        return  # it only waits for somebody to come
    probes = {kind: only[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")}
    assert probes["readiness"] != probes["liveness"]
    bound = {port["name"]: port["containerPort"] for port in only["ports"]}
    if is_service(pod):
        health = bound["health"]
        assert probes["readiness"]["grpc"] == {"port": health}
        assert probes["liveness"]["grpc"] == probes["startup"]["grpc"] == {"port": health, "service": "live"}
        assert environment(overlay, pod)["HEALTH_PORT"] == str(health)
    assert probes["liveness"]["periodSeconds"] * probes["liveness"].get("failureThreshold", 3) >= 30
    assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] >= 60


@each_running
def test_who_serves_calls_ends_without_cutting_any(overlay: str, name: str) -> None:
    pod = pods(overlay)[name]
    told = environment(overlay, pod) if container(pod).get("envFrom") else {}
    grace = pod["spec"]["terminationGracePeriodSeconds"]
    if label(pod, ROLE) == "server":
        asleep = container(pod)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert asleep >= 10, "names live 5 s, and the gateway asks for them every 5 s"
        assert float(told["DRAIN_NOTICE_S"]) > CHECK_EVERY_S + CHECK_WITHIN_S, "the gateway looks away before it ends"
        assert grace >= asleep + float(told["DRAIN_NOTICE_S"]) + DRAIN_S + REFUSE_S + 5
    if label(pod, ROLE) == "gateway":
        assert grace >= float(told["DRAIN_NOTICE_S"]) + float(told["DRAIN_S"]) + 5
    assert grace >= 5


@each_overlay
def test_only_one_replica_at_a_time_is_taken_away(overlay: str) -> None:
    budgets = list(of_kind(overlay, "PodDisruptionBudget"))
    for one in of_kind(overlay, *RUNS):
        if label(one, ROLE) == "ops":
            continue
        own = [two for two in budgets if two["spec"]["selector"] == one["spec"]["selector"]]
        assert [two["spec"]["maxUnavailable"] for two in own] == [1], one["metadata"]["name"]
    assert len(budgets) == len([one for one in of_kind(overlay, *RUNS) if label(one, ROLE) != "ops"])


@each_running
def test_replicas_are_spread(overlay: str, name: str) -> None:
    pod = pods(overlay)[name]
    if label(pod, ROLE) in ("ops", "simulator"):
        return
    keys = {one["topologyKey"] for one in pod["spec"]["topologySpreadConstraints"]}
    assert "kubernetes.io/hostname" in keys
    for one in pod["spec"]["topologySpreadConstraints"]:
        assert one["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


@each_overlay
def test_selectors_find_their_own_pods_and_no_others(overlay: str) -> None:
    every = pods(overlay)
    for one in of_kind(overlay, *RUNS, "Service"):
        wanted = one["spec"]["selector"]
        wanted = wanted.get("matchLabels", wanted)
        found = {label(pod, WORKLOAD) for pod in every.values() if wanted.items() <= pod["metadata"]["labels"].items()}
        assert len(found) == 1, one["metadata"]["name"]
    for one in of_kind(overlay, "Service"):
        (pod,) = [two for two in every.values() if one["spec"]["selector"].items() <= two["metadata"]["labels"].items()]
        ports = {port["name"] for port in container(pod)["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports


@each_overlay
def test_every_process_of_the_code_has_a_workload(overlay: str) -> None:
    runs = {label(one, WORKLOAD) for one in of_kind(overlay, *RUNS)}
    for name in services():
        definition = importlib.import_module(f"{name}.bootstrap").DEFINITION
        own = host(name)
        wanted = {f"{own}-server", *(f"{own}-fold-{host(group.name)}" for group in definition.groups)}
        wanted |= {f"{own}-{host(role)}" for role in definition.further}
        wanted |= {f"{own}-relay"} if definition.topics else set()
        found = {one for one in runs if one.startswith(f"{own}-")} - {f"{own}-ops"}
        assert found == wanted
    commands = {" ".join(container(pod).get("args", ())) for pod in pods(overlay, *RUNS).values() if is_service(pod)}
    assert {"serve", "work", "relay", "learn"} <= commands


@each_pod
def test_the_environment_is_one_that_the_process_takes(overlay: str, name: str, monkeypatch: Any) -> None:
    pod = pods(overlay)[name]
    service = label(pod, "app.kubernetes.io/name")
    if service not in services() and service not in ("gateway", "web"):
        return
    told = environment(overlay, pod)
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    if service == "gateway":
        assert set(gateway_of(told).targets) == set(services())
    elif service == "web":
        assert WebSettings().public_url == told["PUBLIC_URL"]
    else:
        read = importlib.import_module(f"{service}.bootstrap").DEFINITION.settings()
        assert isinstance(read, ServiceSettings)
        assert read.database_url == f"postgresql://username:password@{host(service)}-database-rw:5432/dbname"
        assert read.relay_inline is False, "a relay has a workload of its own"


def settings(overlay: str, owner: str) -> dict[str, str]:
    maps = named(overlay, "ConfigMap").items()
    (told,) = [one["data"] for key, one in maps if key.startswith(f"{owner}-settings")]
    return dict(told)


@each_overlay
def test_no_setting_is_told_that_nobody_reads(overlay: str) -> None:
    """A misspelt setting would be passed over in silence."""
    libpq = {"PGSSLMODE", "PGSSLROOTCERT"}
    targets = {f"{name.upper()}_TARGET" for name in services()}
    shared = {"PUBLIC_URL"}
    for name in services():
        fields = {one.upper() for one in importlib.import_module(f"{name}.bootstrap").DEFINITION.settings.model_fields}
        told = settings(overlay, host(name))
        providers = {"PAYMENT_SIMULATOR_URL"} if name == "billing" else set()
        assert set(told) <= fields | {"DATABASE_HOST"} | providers
        assert set(settings(overlay, "lyceum")) <= fields | libpq | targets | shared


@each_overlay
def test_what_pods_refer_to_is_there_or_made_by_an_operator(overlay: str) -> None:
    claims, maps = named(overlay, "PersistentVolumeClaim"), named(overlay, "ConfigMap")
    clusters = named(overlay, "Cluster")
    made = {f"{name}-{kind}" for name in clusters for kind in ("app", "ca")}
    made |= set(named(overlay, "KafkaUser")) | {f"{name}-cluster-ca-cert" for name in ("lyceum-kafka",)}
    made |= {one["spec"]["secretName"] for one in of_kind(overlay, "Certificate")}
    for name, pod in pods(overlay).items():
        for volume in pod["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, name
            asked = [volume["secret"]["secretName"]] if "secret" in volume else []
            sources = volume.get("projected", {}).get("sources", ())
            asked += [one["secret"]["name"] for one in sources]
            has_tls = bool(named(overlay, "Certificate"))
            assert {one for one in asked if has_tls or not one.endswith("-tls")} <= made, name
        for source in container(pod).get("envFrom", ()):
            assert source["configMapRef"]["name"] in maps
        for one in container(pod).get("env", ()):
            reference = one.get("valueFrom", {}).get("secretKeyRef")
            assert reference is None or reference["name"] in made


@each_overlay
def test_jobs_end_and_leave_room(overlay: str) -> None:
    jobs = [one["spec"] for one in of_kind(overlay, "Job")]
    jobs += [one["spec"]["jobTemplate"]["spec"] for one in of_kind(overlay, "CronJob")]
    assert len(jobs) == 2 * len(services())
    for one in jobs:
        assert one["template"]["spec"]["restartPolicy"] == "Never" and one["backoffLimit"] <= 6
        assert 0 < one["activeDeadlineSeconds"] <= 3600 and 0 < one["ttlSecondsAfterFinished"] <= 30 * 86_400
    for one in of_kind(overlay, "CronJob"):
        assert one["spec"]["concurrencyPolicy"] == "Forbid"


@each_overlay
def test_nothing_secret_is_written_down_and_nothing_reaches_beyond_the_namespace(overlay: str) -> None:
    kinds = {one["kind"] for one in objects(overlay)}
    assert not kinds & {"Secret", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "PriorityClass"}
    for one in objects(overlay):
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "lyceum", one["kind"]
    (namespace,) = of_kind(overlay, "Namespace")
    for mode in ("enforce", "audit", "warn"):
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"


def test_production_is_the_production_profile_without_simulators() -> None:
    for name, pod in pods("prod").items():
        if is_service(pod):
            assert environment("prod", pod)["LYCEUM_PROFILE"] == "production", name
    assert not [name for name in pods("prod") if "simulator" in name]
    assert template(next(of_kind("local", "Deployment")))  # the other overlay has some


@each_overlay
def test_folds_are_static_members_under_their_pods_names(overlay: str) -> None:
    found = list(of_kind(overlay, "StatefulSet"))
    assert found and {label(one, ROLE) for one in found} == {"fold"}
    for one in found:
        assert one["spec"]["podManagementPolicy"] == "Parallel"
        assert one["spec"]["serviceName"] in named(overlay, "Service")
        assert environment(overlay, template(one))["GROUP_INSTANCE_ID"] == "metadata.name"


@each_overlay
def test_only_who_uses_keys_or_kafka_has_them(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        if not is_service(pod):
            continue
        role, volumes = label(pod, ROLE), {one["name"] for one in pod["spec"]["volumes"]}
        assert ("keys" in volumes) is (role in ("server", "fold", "further", "ops", "doctor")), name
        assert ("kafka-tls" in volumes) is (role in ("relay", "fold", "prepare", "ops", "doctor")), name

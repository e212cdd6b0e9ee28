"""The manifests of reco's training keep the house's rules: no more rights than are needed, and no less memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
HERE = ROOT / "deploy" / "k8s" / "reco-train"
MANIFESTS = sorted(one for one in HERE.rglob("*.yaml") if one.name != "kustomization.yaml")
Document = dict[str, Any]


def documents() -> Iterator[tuple[str, Document]]:
    for path in MANIFESTS:
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield f"{path.parent.name}/{one['kind']}", one


def pods() -> Iterator[tuple[str, Document]]:
    """The specifications of all pods, those of jobs and the pattern of Spark's executors."""
    for name, one in documents():
        if one["kind"] == "Pod":
            yield name, one["spec"]
        if one["kind"] == "Job":
            yield name, one["spec"]["template"]["spec"]


PODS = dict(pods())
JOBS = {name: one for name, one in documents() if one["kind"] == "Job"}
each_pod = pytest.mark.parametrize("name", PODS)
each_job = pytest.mark.parametrize("name", JOBS)


def container(name: str) -> Document:
    (only,) = PODS[name]["containers"]
    assert isinstance(only, dict) and not PODS[name].get("initContainers")
    return only


def megabytes(quantity: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi|m|g)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * (1024 if unit in ("Gi", "g") else 1)


def defaults() -> dict[str, str]:
    lines = (HERE / "cluster" / "spark-defaults.conf").read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def option(name: str, flag: str) -> str:
    arguments = container(name)["args"]
    return str(arguments[arguments.index(flag) + 1])


def test_both_ways_are_there() -> None:
    assert set(PODS) == {"one-machine/Job", "cluster/Job", "cluster/Pod"}


@each_pod
def test_no_pod_runs_as_root_or_outside_the_restricted_standard(name: str) -> None:
    pod, only = PODS[name], container(name)
    said = pod["securityContext"]
    assert (said["runAsNonRoot"], said["runAsUser"], said["runAsGroup"]) == (True, 10001, 10001)
    assert said["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod)
    assert {kind for volume in pod["volumes"] for kind in volume} <= {
        "name",
        "emptyDir",
        "persistentVolumeClaim",
        "configMap",
    }


@each_pod
def test_the_users_of_pods_and_image_are_the_same(name: str) -> None:
    image = (ROOT / "services" / "reco" / "train.Dockerfile").read_text(encoding="utf-8")
    said = PODS[name]["securityContext"]
    assert f"USER {said['runAsUser']}:{said['runAsGroup']}" in image


@each_pod
def test_only_who_makes_executors_has_a_token(name: str) -> None:
    makes_executors = name == "cluster/Job"
    assert PODS[name]["automountServiceAccountToken"] is makes_executors
    assert ("serviceAccountName" in PODS[name]) is makes_executors
    assert PODS[name]["enableServiceLinks"] is False


def test_the_driver_may_touch_pods_of_its_namespace_and_nothing_else() -> None:
    found = {one["kind"]: one for _, one in documents()}
    assert "ClusterRole" not in found and "ClusterRoleBinding" not in found
    (rule,) = found["Role"]["rules"]
    assert (rule["apiGroups"], rule["resources"]) == ([""], ["pods"]) and "*" not in rule["verbs"]
    assert found["RoleBinding"]["roleRef"]["name"] == found["Role"]["metadata"]["name"]
    (subject,) = found["RoleBinding"]["subjects"]
    account = PODS["cluster/Job"]["serviceAccountName"]
    assert subject["name"] == account == found["ServiceAccount"]["metadata"]["name"]
    assert found["ServiceAccount"]["automountServiceAccountToken"] is False


@each_job
def test_what_a_job_takes_is_bounded_and_covers_its_heap(name: str) -> None:
    """Beside the heap: the JVM's own memory and Python, half a gigabyte each in what was measured."""
    resources = container(name)["resources"]
    assert set(resources) == {"requests", "limits"}
    for said in resources.values():
        assert set(said) == {"cpu", "memory", "ephemeral-storage"}
    limit = megabytes(resources["limits"]["memory"])
    assert limit >= megabytes(option(name, "--spark-memory")) + 1024
    assert megabytes(resources["requests"]["memory"]) <= limit
    if name == "one-machine/Job":
        assert limit > 2.2 * 1024, "what 10 million pairs took"


@each_pod
def test_what_a_pod_writes_is_bounded(name: str) -> None:
    for volume in PODS[name]["volumes"]:
        if "emptyDir" in volume:
            assert megabytes(volume["emptyDir"]["sizeLimit"]) <= 5 * 1024
    mounts = container(name)["volumeMounts"]
    assert len({one["mountPath"] for one in mounts}) == len(mounts)
    places = {one["mountPath"] for one in mounts if not one.get("readOnly")}
    assert "/tmp" in places, "the root cannot be written to"  # noqa: S108 - a mount, no file of ours


@each_job
def test_a_job_ends_and_leaves_room(name: str) -> None:
    spec = JOBS[name]["spec"]
    assert spec["backoffLimit"] <= 1 and spec["template"]["spec"]["restartPolicy"] == "Never"
    assert 6 * 3600 <= spec["activeDeadlineSeconds"] <= 86_400, "the command's own bounds come first, and speak"
    assert 0 < spec["ttlSecondsAfterFinished"] <= 30 * 86_400


@each_job
def test_the_databases_address_comes_from_a_secret(name: str) -> None:
    (said,) = [one for one in container(name)["env"] if one["name"] == "DATABASE_URL"]
    assert said == {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "reco-database-app", "key": "uri"}}}
    text = "".join(path.read_text(encoding="utf-8") for path in MANIFESTS)
    assert "postgresql://" not in text and "kind: Secret" not in text


@each_job
def test_the_arguments_are_those_of_the_command(name: str) -> None:
    from reco.training.command import _train_parser

    verb, *rest = container(name)["args"]
    chosen = _train_parser().parse_args(rest)
    assert verb == "train" and chosen.engine == "spark" and chosen.source is None and chosen.to is None
    assert chosen.spark_master == (
        "local[*]" if name == "one-machine/Job" else "k8s://https://kubernetes.default.svc:443"
    )


def test_executors_take_as_much_as_is_said_and_no_more() -> None:
    said = defaults()
    assert int(said["spark.executor.instances"]) >= 2
    assert (
        int(said["spark.kubernetes.executor.limit.cores"]) >= int(said["spark.kubernetes.executor.request.cores"]) > 0
    )
    assert (
        megabytes(said["spark.executor.memory"]) <= 8 * 1024
        and float(said["spark.executor.memoryOverheadFactor"]) >= 0.25
    )


def test_executors_run_the_drivers_image_and_read_its_export() -> None:
    made = yaml.safe_load((HERE / "cluster" / "kustomization.yaml").read_text(encoding="utf-8"))
    (replaced,) = made["replacements"]
    assert (
        replaced["source"]["fieldPath"].endswith("image")
        and "EXECUTOR_IMAGE" in replaced["targets"][0]["fieldPaths"][0]
    )
    driver = {one["name"]: one.get("value") for one in container("cluster/Job")["env"]}
    assert driver["EXECUTOR_IMAGE"] == container("cluster/Job")["image"]
    assert "spark.kubernetes.container.image=$(EXECUTOR_IMAGE)" in driver["PYSPARK_SUBMIT_ARGS"]
    mounts = [
        {one["name"]: one for one in container(name)["volumeMounts"]}["export"]
        for name in ("cluster/Job", "cluster/Pod")
    ]
    assert [one["mountPath"] for one in mounts] == [driver["TMPDIR"]] * 2 and mounts[1]["readOnly"] is True
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for name in ("cluster/Job", "cluster/Pod")
        for volume in PODS[name]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    (claim,) = [one for _, one in documents() if one["kind"] == "PersistentVolumeClaim"]
    assert claims == {claim["metadata"]["name"]} and claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_driver_and_executors_trust_nobody_else_and_need_nothing_but_pods() -> None:
    said = defaults()
    assert said["spark.authenticate"] == said["spark.network.crypto.enabled"] == "true"
    assert said["spark.kubernetes.executor.disableConfigMap"] == "true"
    for name in (
        "driver.ownPersistentVolumeClaim",
        "driver.reusePersistentVolumeClaim",
        "driver.service.deleteOnTermination",
    ):
        assert said[f"spark.kubernetes.{name}"] == "false"


def test_what_the_settings_name_is_mounted_where_they_say() -> None:
    said, made = defaults(), yaml.safe_load((HERE / "cluster" / "kustomization.yaml").read_text(encoding="utf-8"))
    (files,) = made["configMapGenerator"]
    mounted = {one["name"]: one["mountPath"] for one in container("cluster/Job")["volumeMounts"]}
    folder = {one["name"]: one.get("value") for one in container("cluster/Job")["env"]}["SPARK_CONF_DIR"]
    assert mounted["spark"] == folder
    assert said["spark.kubernetes.executor.podTemplateFile"] == f"{folder}/executor.yaml"
    assert set(files["files"]) == {"spark-defaults.conf", "executor.yaml"}
    assert said["spark.kubernetes.executor.podTemplateContainerName"] == container("cluster/Pod")["name"]


@pytest.mark.parametrize("folder", ["one-machine", "cluster"])
def test_every_manifest_is_in_its_kustomization(folder: str) -> None:
    made = yaml.safe_load((HERE / folder / "kustomization.yaml").read_text(encoding="utf-8"))
    used = {*made["resources"], *(name for one in made.get("configMapGenerator", ()) for name in one["files"])}
    assert used == {one.name for one in (HERE / folder).iterdir()} - {"kustomization.yaml"}

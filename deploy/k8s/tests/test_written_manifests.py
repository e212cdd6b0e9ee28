"""The generated manifests are those that the code asks for; all others render and fit their schemas."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from k8s_tests.rendered import named, objects

from lyceum_k8s.rendering import HERE, OverlayBroken, overlays, render
from lyceum_k8s.schemas import KUBERNETES, strict, write_custom, write_kubernetes
from lyceum_k8s.writing import differences, write
from lyceum_tree import services

TOOLS_WITHIN_S = 600
CHECK_WITHIN_S = 120
CUSTOM = Path(os.environ.get("CRDS", HERE.parents[2] / "shared" / "data" / "crds"))
IGNORED = {
    "container-image-pull-policy": "a tag is a release and never changes",
    "deployment-has-host-podantiaffinity": "replicas are spread by topology, which weighs zones too",
    "statefulset-has-host-podantiaffinity": "replicas are spread by topology, which weighs zones too",
    "networkpolicy-targets-pod": "some policies are for pods that operators make",
}
RESTORED = ("base", *(f"components/{one}" for one in ("postgres", "backups", "restore")))
ON_ONE_MACHINE = {
    "deployment-replicas": "there is one machine",
    "deployment-strategy": "the simulator's book is one file",
}


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder with kubeconform and kube-score."""
    made = subprocess.run([HERE / "tools.sh"], capture_output=True, text=True, timeout=TOOLS_WITHIN_S, check=False)
    if made.returncode == 3:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    for version in KUBERNETES:
        write_kubernetes(version, folder / version)
    if CUSTOM.is_dir():
        write_custom(CUSTOM, folder / "custom")
    return folder


def conform(tools: Path, schemas: Path, version: str, manifests: str) -> subprocess.CompletedProcess[str]:
    own = {one["kind"] for one in yaml.safe_load_all(manifests) if one and "." in one["apiVersion"].split("/")[0]}
    skipped = [] if CUSTOM.is_dir() else ["-skip", ",".join(sorted(own))]
    return subprocess.run(
        [
            str(tools / "kubeconform"),
            *("-strict", "-summary", *skipped),
            *("-schema-location", f"{schemas}/{version}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"),
            *(
                "-schema-location",
                f"{schemas}/custom/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
            ),
            "-",
        ],
        input=manifests,
        capture_output=True,
        text=True,
        timeout=CHECK_WITHIN_S,
        check=False,
    )


def test_what_is_written_follows_from_the_code() -> None:
    stale = [str(file.relative_to(HERE)) for file, _ in differences(HERE)]
    assert not stale, "run `make k8s` and commit what it writes"


def test_a_changed_a_missing_and_a_left_over_file_are_found_and_mended(tmp_path: Path) -> None:
    list(write(tmp_path))
    assert not list(differences(tmp_path))
    changed, gone = tmp_path / "base/billing/server.yaml", tmp_path / "base/settings.env"
    left = tmp_path / "base/billing/fold-ended.yaml"
    left.write_text(changed.read_text())
    changed.write_text("kind: Nothing\n")
    gone.unlink()
    assert {file for file, _ in differences(tmp_path)} == {changed, gone, left}
    list(write(tmp_path))
    assert not list(differences(tmp_path)) and not left.exists()


def test_what_is_written_by_hand_is_left_alone(tmp_path: Path) -> None:
    by_hand = tmp_path / "base/namespace.yaml"
    by_hand.parent.mkdir()
    by_hand.write_text("kind: Namespace\n")
    list(write(tmp_path))
    assert by_hand.read_text() == "kind: Namespace\n"


def test_both_overlays_are_there_and_no_object_comes_twice() -> None:
    assert overlays() == ["local", "prod"]
    for overlay in overlays():
        keys = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in objects(overlay)]
        assert len(keys) == len(set(keys)) > 100


def test_a_component_that_no_overlay_uses_renders_too(tmp_path: Path) -> None:
    components = sorted(file.parent for file in (HERE / "components").rglob("kustomization.yaml"))
    for component in components:
        overlay = tmp_path / component.name
        overlay.mkdir()
        uses = [os.path.relpath(component, overlay)]
        needs = {"backups": ["postgres"]}.get(component.name, [])
        if component.name in ("release", "restore"):
            continue  # they need an overlay's own file; both overlays use the first, the second has a test of its own
        uses = [os.path.relpath(HERE / "components" / one, overlay) for one in needs] + uses
        made = {"resources": [os.path.relpath(HERE / "base", overlay)], "components": uses}
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(made))
        assert render(overlay).count("\nkind: ") > 100


def test_with_restore_every_database_begins_from_its_backup_at_one_moment(tmp_path: Path) -> None:
    moment, names = "2026-11-29T14:00:00Z", [os.path.relpath(HERE / one, tmp_path) for one in RESTORED]
    made = {
        "resources": names[:1],
        "components": names[1:],
        "configMapGenerator": [{"name": "restore", "literals": [f"RESTORE_TO={moment}"]}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(made))
    clusters = [one for one in yaml.safe_load_all(render(tmp_path)) if one["kind"] == "Cluster"]
    assert len(clusters) == len(services())
    for one in clusters:
        name, spec = one["metadata"]["name"], one["spec"]
        assert spec["bootstrap"].keys() == {"recovery"}
        assert spec["bootstrap"]["recovery"]["recoveryTarget"] == {"targetTime": moment}
        [before], [archive] = spec["externalClusters"], spec["plugins"]
        assert spec["bootstrap"]["recovery"]["source"] == before["name"]
        assert before["plugin"]["parameters"]["serverName"] == name != archive["parameters"]["serverName"]


def test_an_overlay_that_is_broken_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [nothing.yaml]\n")
    with pytest.raises(OverlayBroken, match=r"cannot be rendered.*nothing\.yaml"):
        render(tmp_path)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("overlay", ["local", "prod"])
def test_every_object_fits_its_schema(tools: Path, schemas: Path, overlay: str, version: str) -> None:
    checked = conform(tools, schemas, version, render(HERE / "overlays" / overlay))
    assert checked.returncode == 0, checked.stdout
    assert "Invalid: 0, Errors: 0" in checked.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("revisionHistoryLimit", "revisionHistoryLimits"),
        ("automountServiceAccountToken: false", "automountServiceAccountToken: never"),
        ("enableSuperuserAccess", "enableSuperuserAcces"),
        ("maxReplicaCount: 12", "maxReplicaCount: twelve"),
        ("patternType: literal", "patternTypes: literal"),
    ],
)
def test_a_wrong_word_is_found(tools: Path, schemas: Path, right: str, wrong: str) -> None:
    rendered = render(HERE / "overlays" / "prod")
    assert right in rendered
    is_custom = right not in ("revisionHistoryLimit", "automountServiceAccountToken: false")
    if is_custom and not CUSTOM.is_dir():
        pytest.skip(f"the definitions of custom resources are not there: CRDS={CUSTOM}")
    checked = conform(tools, schemas, KUBERNETES[-1], rendered.replace(right, wrong))
    assert checked.returncode != 0 and "is invalid" in checked.stdout


def test_custom_resources_are_checked_where_their_definitions_are(schemas: Path) -> None:
    if not CUSTOM.is_dir():
        pytest.skip(f"the definitions of custom resources are not there: CRDS={CUSTOM}")
    kinds = {(one["apiVersion"].split("/")[0], one["kind"]) for one in objects("prod") if "." in one["apiVersion"]}
    known = {(file.parent.name, file.name.partition("_")[0]) for file in (schemas / "custom").rglob("*.json")}
    custom = {(group, kind.lower()) for group, kind in kinds if not group.endswith("k8s.io")}
    assert custom and custom <= known


def test_a_strict_schema_closes_objects_and_leaves_open_ones_open() -> None:
    given = {
        "properties": {
            "closed": {"properties": {"a": {"type": "string"}}},
            "open": {"properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": True},
            "map": {"additionalProperties": {"type": "string"}},
            "either": {"anyOf": [{"properties": {"b": {}}}], "properties": {"b": {}, "c": {}}},
        }
    }
    made = strict(given)
    assert made["additionalProperties"] is False
    assert made["properties"]["closed"]["additionalProperties"] is False
    assert "additionalProperties" not in made["properties"]["open"]
    assert made["properties"]["map"] == given["properties"]["map"]
    assert made["properties"]["either"]["anyOf"] == [{"properties": {"b": {}}}]


@pytest.mark.parametrize("overlay", ["local", "prod"])
def test_kube_score_finds_nothing_that_is_not_meant(tools: Path, overlay: str) -> None:
    ignored = IGNORED | ON_ONE_MACHINE if overlay == "local" else IGNORED
    scored = subprocess.run(
        [
            str(tools / "kube-score"),
            *("score", "-", "--output-format", "ci", "--kubernetes-version", "v1.34"),
            "--ignore-container-cpu-limit",
            *(part for name in ignored for part in ("--ignore-test", name)),
        ],
        input=render(HERE / "overlays" / overlay),
        capture_output=True,
        text=True,
        timeout=CHECK_WITHIN_S,
        check=False,
    )
    found = [line for line in scored.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
    assert not found and "[OK]" in scored.stdout


def test_the_release_is_told_once_and_reaches_every_image_and_job() -> None:
    version = named("prod", "ConfigMap")
    (release,) = [one["data"] for name, one in version.items() if name.startswith("release")]
    assert release["IN_NAMES"] == release["VERSION"].replace(".", "-")
    rendered = render(HERE / "overlays" / "prod")
    assert not re.search(r"[:-]0\.0\.0\b(?!\.)", rendered)
    assert all(name.endswith(f"-prepare-{release['IN_NAMES']}") for name in named("prod", "Job"))

"""The Dockerfiles of the services are one pattern; none drifts from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lyceum_images.found import images
from lyceum_tree import services

ROOT = Path(__file__).parents[3]
PATTERN = ROOT / "deploy" / "images" / "service.Dockerfile"
SERVICES = tuple(services())
ALL = tuple(str(one.dockerfile) for one in images().values())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_built_by_the_one_pattern(service: str) -> None:
    expected = PATTERN.read_text(encoding="utf-8").replace("@SERVICE@", service)
    written = (ROOT / "services" / service / "Dockerfile").read_text(encoding="utf-8")
    assert written == expected, "run make generate"


def test_every_service_has_an_image() -> None:
    packages = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}
    assert packages == set(SERVICES)


@pytest.mark.parametrize("name", ALL)
def test_no_image_runs_as_root(name: str) -> None:
    final = (ROOT / name).read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert [line for line in final.splitlines() if line.startswith("USER ")] == ["USER 10001:10001"]


def test_the_images_of_the_tree_are_found_by_their_titles() -> None:
    by_hand = {"gateway", "payment-simulator", "reco-train", "web"}
    assert set(images()) == {*SERVICES, *by_hand}


@pytest.mark.parametrize("name", ALL)
def test_an_image_tells_its_version_to_its_process_and_keeps_no_pip(name: str) -> None:
    final = (ROOT / name).read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert "ENV LYCEUM_VERSION=${VERSION}" in final.splitlines()
    assert "pip uninstall" in final


@pytest.mark.parametrize("name", [name for name in ALL if "gateway" not in name])
def test_nothing_from_outside_enters_without_a_hash(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    for line in (line for line in lines if " install " in line and "pip" in line):
        assert "--require-hashes --only-binary :all:" in line or "--no-index --no-deps" in line


def test_a_build_sees_only_what_it_is_shown() -> None:
    shown = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in shown
    assert not {line for line in shown if line.startswith("!")} - {
        "!libs",
        "!schemas/avro",
        "!services",
        "!tools/simulator",
        "!clients/web",
        "!deploy/gateway",
        "!requirements/*.txt",
    }

"""What a look at an image finds: tried on what is told of one, and on the Python of these tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lyceum_images.checking import _LOOK_FOR_TOOLS, _labels

GOOD = {
    "Labels": {
        "org.opencontainers.image.title": "lyceum-web",
        "org.opencontainers.image.version": "7",
        "org.opencontainers.image.revision": "a" * 40,
    },
    "Env": ["PATH=/app/bin", "LYCEUM_VERSION=7"],
    "User": "10001:10001",
}


def test_given_the_right_labels_when_they_are_looked_at_then_nothing_is_found() -> None:
    assert list(_labels(GOOD, "web", "7")) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"User": ""}, "it runs as root"),
        ({"Env": ["LYCEUM_VERSION=6"]}, "LYCEUM_VERSION is 6"),
        ({"Env": None}, "LYCEUM_VERSION is None"),
        ({"Labels": GOOD["Labels"] | {"org.opencontainers.image.version": "6"}}, "its label says version 6"),  # type: ignore[operator]
        ({"Labels": None}, "its label names no revision"),
    ],
)
def test_given_a_wrong_label_when_it_is_looked_at_then_a_sentence_says_so(
    changed: dict[str, object], found: str
) -> None:
    assert any(sentence.startswith(found) for sentence in _labels(GOOD | changed, "web", "7"))


def test_given_a_python_with_build_tools_when_it_is_looked_at_from_inside_then_they_are_named() -> None:
    said = subprocess.run([sys.executable, "-c", _LOOK_FOR_TOOLS], capture_output=True, text=True, check=True).stdout
    assert f"hatchling of {sys.executable}" in said.strip().split(",")

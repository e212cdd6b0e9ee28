"""The one list of services: what their folders tell, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.emitters import EMITTERS
from lyceum_generate.services import definitions
from lyceum_tree import ROOT, Untold, served, services, shared_by_tests, slices, sources

TOLD = '[tool.lyceum]\nowns = "o"\nserves = "s"\nports = { serve = %d, serve_metrics = 2, work_metrics = 3 }\n'


def tree(root: Path, **told: str) -> Path:
    for name, text in told.items():
        (root / "services" / name).mkdir(parents=True)
        (root / "services" / name / "pyproject.toml").write_text(text)
    return root


def test_services_come_in_the_order_of_their_ports(tmp_path: Path) -> None:
    found = services(tree(tmp_path, a=TOLD % 9, b=TOLD % 8))
    assert list(found) == ["b", "a"]
    assert found["a"].named_ports == {"a": 9, "a_serve_metrics": 2, "a_work_metrics": 3}


def test_what_is_not_told_is_named(tmp_path: Path) -> None:
    with pytest.raises(Untold, match=r"services/a/pyproject.toml does not tell \[tool.lyceum\] serves, .*work_metrics"):
        services(tree(tmp_path, a='[tool.lyceum]\nowns = "o"\nports = { serve = 1, serve_metrics = 2 }\n'))


def test_each_folder_of_the_tree_is_the_service_that_its_definition_names() -> None:
    assert {name: one.name for name, one in definitions().items()} == {name: name for name in services()}


def test_who_has_schemas_emits_and_serves_what_its_protos_describe() -> None:
    assert {name for name, one in definitions().items() if one.topics} == set(EMITTERS)
    assert {name: set(one.policies) for name, one in definitions().items()} == {n: set(served(n)) for n in services()}


def test_slices_and_sources_are_folders() -> None:
    assert "catalog.content" in slices()
    assert {"services/catalog/src", "libs/servicekit/tests/support"} <= set(sources())
    assert set(shared_by_tests()) < set(sources()) and all((ROOT / folder).is_dir() for folder in sources())

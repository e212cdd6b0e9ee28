"""The one list of services: what their folders tell, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.emitters import EMITTERS
from lyceum_generate.services import definitions
from lyceum_tree import ROOT, NoSuchPort, Untold, served, services, shared_by_tests, slices, sources

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


def test_given_ports_of_further_metrics_when_services_are_read_then_these_are_further_roles(tmp_path: Path) -> None:
    told = (TOLD % 1).replace(" }", ", learn_metrics = 4, draw_noise_metrics = 5 }")
    found = services(tree(tmp_path, a=told, b=TOLD % 9))
    assert {name: one.further for name, one in found.items()} == {"a": ("learn", "draw_noise"), "b": ()}
    assert found["a"].named_ports == {
        "a": 1,
        "a_serve_metrics": 2,
        "a_work_metrics": 3,
        "a_learn_metrics": 4,
        "a_draw_noise_metrics": 5,
    }


@pytest.mark.parametrize("kind", ["learn", "learn_metric", "_metrics", "Learn_metrics", "learn-fast_metrics"])
def test_given_a_port_of_no_process_when_services_are_read_then_it_is_named(tmp_path: Path, kind: str) -> None:
    told = (TOLD % 1).replace(" }", f", {kind} = 4 }}")
    with pytest.raises(NoSuchPort, match=f"services/a/pyproject.toml tells ports that no process has: {kind};"):
        services(tree(tmp_path, a=told))


def test_given_a_definition_with_further_roles_when_its_service_tells_ports_then_each_role_has_one() -> None:
    defined = {name: set(one.further) for name, one in definitions().items()}
    assert defined == {name: set(one.further) for name, one in services().items()}


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

"""Names that two services would claim are found when the published language is generated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from eventfold import EventCodec, FoldGroup
from lyceum_generate import collisions, public, services
from lyceum_generate.__main__ import generate
from lyceum_generate.collisions import NamesCollide, complaints
from servicekit.definition import ServiceDefinition

AS_THEY_ARE = services.definitions()


def test_every_name_of_the_tree_means_one_thing() -> None:
    assert complaints() == []


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ServiceDefinition]]:
    """The services, to be changed."""
    changed = dict(AS_THEY_ARE)

    def definitions() -> Mapping[str, ServiceDefinition]:
        return changed

    for module in (services, public, collisions):
        monkeypatch.setattr(module, "definitions", definitions)
    public.emitted.cache_clear()
    yield changed
    public.emitted.cache_clear()


def test_a_topic_of_two_services_and_one_of_none_are_found(tree: dict[str, ServiceDefinition]) -> None:
    catalog = tree["catalog"]
    tree["catalog"] = replace(catalog, topics=(*catalog.topics[1:], "lyceum.billing.order"))
    found = complaints()
    assert "topic lyceum.billing.order is claimed by billing and catalog" in found
    assert any("lyceum.catalog.content.published.v1 of catalog goes to a topic that" in one for one in found)
    with pytest.raises(NamesCollide, match="is claimed by"):
        generate()


def test_two_handlers_and_two_tables_under_one_name_are_found(tree: dict[str, ServiceDefinition]) -> None:
    one, other, *rest = tree["catalog"].projections
    twice = (one, replace(other, name=one.name, tables=one.tables), *rest)
    tree["catalog"] = replace(tree["catalog"], groups=(FoldGroup("twice", twice),))
    assert [text.split(" is claimed")[0] for text in complaints()] == [
        f"catalog: handler {one.name}",
        f"catalog: read table {one.tables[0].name}",
    ]


def test_a_stored_name_of_two_services_is_found(
    tree: dict[str, ServiceDefinition], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = tree["identity"].codec
    types = {event: (name.replace("session.started", "order.placed"), at) for event, (name, at) in codec.types.items()}
    tree["identity"] = replace(tree["identity"], codec=EventCodec(types))
    assert complaints() == ["stored event order.placed is claimed by billing and identity"]


def test_a_stream_type_of_two_services_and_one_with_a_hyphen_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collisions, "_streams", lambda: iter([("order", "a"), ("order", "b"), ("order-line", "a")]))
    found = complaints()
    assert found[0] == "stream type order is claimed by a and b" and found[1].startswith("stream type order-line:")


def test_a_namespace_of_two_modules_is_found(tmp_path: Path) -> None:
    for service in ("a", "b"):
        (tmp_path / "services" / service / "src").mkdir(parents=True)
        text = 'import uuid\nN = uuid.UUID("9F4A1C52-3f0e-5b6d-8a57-6f6d2b1d7e01")\n'
        (tmp_path / "services" / service / "src" / "ids.py").write_text(text)
    [found] = complaints(tmp_path)
    assert found.endswith("is claimed by services/a/src/ids.py and services/b/src/ids.py")


def test_two_classes_under_one_stored_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two event classes are stored under the name same"):
        EventCodec({str: ("same", 1), int: ("same", 2)})

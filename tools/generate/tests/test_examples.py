"""Every operation has an example, and each keeps to its message."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.json_format import ParseDict

from lyceum_generate.__main__ import DESCRIPTORS, OPENAPI
from lyceum_generate.methods import described, method, pool_of
from lyceum_generate.openapi import EXAMPLES
from lyceum_tree import ROOT
from servicekit.policy import Policy

GIVEN: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "schemas" / EXAMPLES).read_text(encoding="utf-8"))
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / OPENAPI).read_text(encoding="utf-8"))
POOL = pool_of(ROOT / DESCRIPTORS)
RAW = "google.api.HttpBody"


def operation_id(one: MethodDescriptor) -> str:
    return f"{one.containing_service.name}_{one.name}"


FOUND = {operation_id(one): (one, policy) for one, policy in described(POOL)}
JSON = [name for name, (one, policy) in FOUND.items() if policy.rate != "provider" and not one.server_streaming]


def parsed(example: Any, of: Descriptor) -> Any:
    """The message that it is. Raises ParseError for a field that is not there, or a value that does not fit."""
    return ParseDict(example, message_factory.GetMessageClass(of)())


def body_of(one: MethodDescriptor, policy: Policy) -> Descriptor | None:
    """The message of the JSON body."""
    known = method(one, policy)
    return POOL.FindMessageTypeByName(known.body) if known.body else None


@pytest.mark.parametrize("name", JSON)
def test_an_operation_has_examples_that_keep_to_its_messages(name: str) -> None:
    one, policy = FOUND[name]
    example = GIVEN[name]
    body = body_of(one, policy)
    assert ("request" in example) == (body is not None)
    if body is not None:
        parsed(example["request"], body)
    parsed(example["answer"], one.output_type)


def test_there_is_none_of_what_is_not_there() -> None:
    assert GIVEN.keys() <= FOUND.keys()


def test_the_document_shows_them() -> None:
    shown = {
        operation["operationId"]: operation for verbs in DOCUMENT["paths"].values() for operation in verbs.values()
    }
    for name in JSON:
        assert shown[name]["responses"]["200"]["content"]["application/json"]["example"] == GIVEN[name]["answer"]
        if "request" in GIVEN[name]:
            assert shown[name]["requestBody"]["content"]["application/json"]["example"] == GIVEN[name]["request"]

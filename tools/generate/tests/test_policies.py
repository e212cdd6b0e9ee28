"""Every RPC of every proto has a policy, and each policy says what there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from lyceum_generate.services import definitions
from lyceum_tree import services
from servicekit.policy import ROLES, Policy

PROTOS = Path(__file__).parents[3] / "schemas" / "proto"
OWN_OF_SERVICEKIT = {"lyceum.consistency.v1.ConsistencyService"}
"""Internal: it has no road through the gateway."""

POLICIES = [
    pytest.param(service, name, policy, id=f"{service}.{name}")
    for definition in definitions().values()
    for service, policies in definition.policies.items()
    for name, policy in policies.items()
]


def described() -> set[str]:
    """The full names of the services in the protos, by what stands in the files."""
    found = set()
    for file in PROTOS.rglob("*.proto"):
        lines = file.read_text(encoding="utf-8").splitlines()
        [package] = [line.split()[1].rstrip(";") for line in lines if line.startswith("package ")]
        found |= {f"{package}.{line.split()[1]}" for line in lines if line.startswith("service ")}
    return found


def method(service: str, name: str) -> MethodDescriptor:
    return descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]


def test_every_rpc_of_every_proto_has_a_policy() -> None:
    policies = {name: one for definition in definitions().values() for name, one in definition.policies.items()}
    assert described() - OWN_OF_SERVICEKIT == policies.keys() and len(policies) == len(services())
    for service, own in policies.items():
        assert {one.name for one in descriptor_pool.Default().FindServiceByName(service).methods} == own.keys()


@pytest.mark.parametrize(("service", "name", "policy"), POLICIES)
def test_a_policy_says_what_there_is(service: str, name: str, policy: Policy) -> None:
    [definition] = [one for one in definitions().values() if service in one.policies]
    assert set(policy.reads) <= {one.name for one in definition.projections}
    assert set(policy.roles) <= set(ROLES) and policy.roles
    fields = method(service, name).input_type.fields_by_name
    assert not policy.own or fields[policy.own].type == fields[policy.own].TYPE_STRING
    assert not (policy.anyone and (policy.own or policy.roles != ROLES)), "open to anyone and to some"


@pytest.mark.parametrize(("service", "name", "policy"), POLICIES)
def test_what_records_nothing_takes_no_idempotency_key_and_what_is_got_is_a_query(
    service: str, name: str, policy: Policy
) -> None:
    rule = method(service, name).GetOptions().Extensions[annotations_pb2.http]
    assert not (policy.idempotent and policy.rate == "query")
    assert rule.WhichOneof("pattern") != "get" or policy.rate == "query"
    assert not policy.reads or not policy.anyone or policy.rate == "query"


def test_only_these_are_open_to_anyone() -> None:
    """Whoever opens another says so here, too."""
    found = {
        name for param in POLICIES for _, name, policy in [param.values] if isinstance(policy, Policy) and policy.anyone
    }
    assert found == {
        "Register",
        "LogIn",
        "RefreshSession",
        "RevokeSession",
        "IssueClaimCode",
        "ClaimAccount",
        "GetJwks",
        "GetOpenIdConfiguration",
        "GetContent",
        "ListContents",
        "ListComments",
        "GetProduct",
        "HandleProviderCallback",
        "ListSimilar",
        "ListPopular",
        "ListTrending",
    }

"""gRPC clients reach through the gateway what JSON clients do, with and without a token."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import grpc
import pytest
from community import PASSWORD, Community

from lyceum.billing.v1 import billing_pb2, billing_pb2_grpc
from lyceum.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc

TIMEOUT_S = 20


@pytest.fixture(scope="module")
def channel(community: Community) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(urlsplit(community.url).netloc) as opened:
        yield opened


def refusal_of(call: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    return call.code(), call.details() or ""


def test_a_member_registers_logs_in_and_asks_who_it_is(channel: grpc.Channel) -> None:
    identity, name = identity_pb2_grpc.IdentityServiceStub(channel), f"native-{uuid.uuid4().hex[:8]}"
    identity.Register(identity_pb2.RegisterRequest(username=name, password=PASSWORD), timeout=TIMEOUT_S)
    session = identity.LogIn(identity_pb2.LogInRequest(username=name, password=PASSWORD), timeout=TIMEOUT_S)
    told = (("authorization", f"Bearer {session.access_token}"),)
    entitled = billing_pb2_grpc.BillingServiceStub(channel).ListEntitlements(
        billing_pb2.ListEntitlementsRequest(), timeout=TIMEOUT_S, metadata=told
    )
    assert session.member_id and not entitled.entitlements


def test_contents_are_listed_for_anyone(channel: grpc.Channel) -> None:
    catalog = catalog_pb2_grpc.CatalogServiceStub(channel)
    assert catalog.ListContents(catalog_pb2.ListContentsRequest(), timeout=TIMEOUT_S) is not None


@pytest.mark.parametrize("token", ["garbage", "Bearer garbage", "Bearer a.b.c"])
def test_an_open_query_refuses_a_token_that_is_none(channel: grpc.Channel, token: str) -> None:
    catalog = catalog_pb2_grpc.CatalogServiceStub(channel)
    with pytest.raises(grpc.RpcError) as refusal:
        catalog.ListContents(catalog_pb2.ListContentsRequest(), timeout=TIMEOUT_S, metadata=(("authorization", token),))
    assert refusal.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_closed_method_needs_a_token(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        catalog_pb2_grpc.CatalogServiceStub(channel).Publish(catalog_pb2.PublishRequest(title="t"), timeout=TIMEOUT_S)
    assert refusal_of(refusal.value) == (grpc.StatusCode.UNAUTHENTICATED, "a valid access token is needed")

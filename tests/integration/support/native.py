"""A member who speaks gRPC to the gateway."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import grpc
from community import PASSWORD
from google.rpc import error_details_pb2, status_pb2

from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc

CALL_S = 20
_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True)
class Native:
    """Logged in, on a channel to the gateway."""

    channel: grpc.Channel
    member_id: str
    access_token: str

    def call(self, method: Any, request: Any, after: str = "") -> Any:
        """The answer of `method`, which waits for what the token `after` stands for, if there is one."""
        told = [("authorization", f"Bearer {self.access_token}"), *([("x-lyceum-after", after)] if after else [])]
        return method(request, timeout=CALL_S, metadata=told)

    def found(self, method: Any, request: Any, after: str = "") -> Any:
        """The same, or None while what the request is about has not arrived."""
        try:
            return self.call(method, request, after)
        except grpc.RpcError as refusal:
            if refusal.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return None


def joined(channel: grpc.Channel, role: str) -> Native:
    """A new member, logged in."""
    stub, name = identity_pb2_grpc.IdentityServiceStub(channel), f"n{uuid.uuid4().hex[:16]}"
    stub.Register(identity_pb2.RegisterRequest(username=name, password=PASSWORD, role=role), timeout=CALL_S)
    session = stub.LogIn(identity_pb2.LogInRequest(username=name, password=PASSWORD), timeout=CALL_S)
    return Native(channel, session.member_id, session.access_token)


def reason_of(refusal: grpc.RpcError) -> str:
    """Why a service refused, as the details of its status say."""
    [told] = [one.value for one in refusal.trailing_metadata() if one.key == _DETAILS]
    info = error_details_pb2.ErrorInfo()
    unpacked = [str(info.reason) for one in status_pb2.Status.FromString(told).details if one.Unpack(info)]
    assert unpacked, refusal
    return unpacked[0]

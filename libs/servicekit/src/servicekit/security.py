"""The security log: one line for each call that was refused for who made it, or how often, or with which secret, and
for each role that was granted.

Lines go to the logger `security`, in every profile. They name the method, the reason of a refusal, the member if there
is one, and a keyed hash of the client's address: by it the lines of one client can be told together, and nobody is
named.
"""

from __future__ import annotations

import hashlib
import hmac
import logging

import grpc

from eventfold.errors import DomainError
from servicekit.call import ANONYMOUS, Call, current_call, present_call

log = logging.getLogger("security")

REFUSALS = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
GUESSES = frozenset({"WRONG_CODE", "FORGED_QUOTE", "FORGED_CALLBACK"})
"""Reasons of other statuses that tell of somebody who tries secrets."""
CLIENT_HEX = 12


def log_refusal(method: str, code: grpc.StatusCode, failure: Exception, key: bytes) -> None:
    """Write the line, if the failure is such a refusal. `key` hashes the client's address."""
    reason = failure.code if isinstance(failure, DomainError) else type(failure).__name__
    if code not in REFUSALS and reason not in GUESSES:
        return
    log.warning("refused", extra={"status": code.name, "reason": reason, **_who(method, present_call(), key)})


def log_grant(member_id: str, role: str) -> None:
    """Write the line of a role that the present call has granted to a member."""
    call = current_call()
    who = _who(call.rpc, call, call.idempotency_secret)
    log.warning("granted", extra={"granted_to": member_id, "granted_role": role, **who})


def _who(method: str, call: Call | None, key: bytes) -> dict[str, str]:
    client = _hashed(call.client, key) if call and call.client else ""
    return {"method": method, "member_id": call.actor if call else ANONYMOUS, "client": client}


def _hashed(client: str, key: bytes) -> str:
    return hmac.digest(key, f"client|{client}".encode(), hashlib.sha256).hex()[:CLIENT_HEX]

"""The caller: the verified access token of a request, and what it permits."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from eventfold.errors import NotPermitted, PeerUnavailable, Unauthenticated

ALGORITHMS = ["ES256"]
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
KEYS_FRESH_S = 300.0
KEYS_KEPT_S = 1_800.0
"""Known keys serve so long while they cannot be fetched anew: a restart of identity refuses nobody."""
KEYS_RETRY_S = 5.0
FAILED_S = 1.0
"""How long a failed fetch also fails for all others who ask."""
CLOCK_LEEWAY_S = 5
VERIFIED_TOKENS = 10_000
"""The most verified tokens that are remembered."""


class KeysUnavailable(PeerUnavailable):
    """Identity's keys, by which a token is verified, cannot be had. The call has not begun: another server, or this one
    a little later, may be asked."""

    def __init__(self, reason: str) -> None:
        super().__init__("identity", reason)


@dataclass(frozen=True, slots=True)
class Caller:
    """The member behind a request, according to the token."""

    member_id: str
    role: str
    session_id: str

    def require(self, *roles: str) -> None:
        """Raise `NotPermitted` unless the member has one of these roles."""
        if self.role not in roles:
            raise NotPermitted(f"this needs one of the roles: {', '.join(roles)}", member_id=self.member_id)


class _Verified(NamedTuple):
    caller: Caller
    ends_at_s: float


def _digest(token: str) -> bytes:
    """The key under which a token is remembered: tokens themselves are not kept."""
    return hashlib.sha256(token.encode()).digest()


FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]


class TokenVerifier:
    """Verifies access tokens against identity's published keys, which it fetches when needed and keeps for a while.

    Envoy has already verified the token, but services do not rely on that.
    """

    def __init__(self, fetch_keys: FetchKeys, issuer: str, audience: str) -> None:
        self._fetch_keys = fetch_keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=CLOCK_LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._keys: KeySet | None = None
        self._verified: dict[bytes, _Verified] = {}
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Caller:
        """The caller of a token. Raises `Unauthenticated` for any token that is not valid now, and `KeysUnavailable` if
        identity's keys cannot be fetched and those known, not older than `KEYS_KEPT_S`, do not show it to be valid.

        A token that was found valid is trusted until it expires, as long as the published keys are not fetched anew:
        checking a signature costs more than the rest of a call's edge.
        """
        known = self._verified.get(_digest(token)) if self._fresh(KEYS_FRESH_S) else None
        if known is not None and time.time() < known.ends_at_s:
            return known.caller
        try:
            return self._caller(token, await self._current_keys(KEYS_FRESH_S, KEYS_KEPT_S))
        except (JoseError, ValueError, KeyError):
            pass  # perhaps signed with a key published a moment ago: fetch once more, at most every few seconds
        try:
            return self._caller(token, await self._current_keys(KEYS_RETRY_S, 0.0))
        except (JoseError, ValueError, KeyError) as failure:
            raise Unauthenticated("the access token is not valid", field="authorization") from failure

    def _caller(self, token: str, keys: KeySet) -> Caller:
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        if decoded.header.get("typ") != TOKEN_TYPE:
            raise ValueError("not an access token")
        self._claims.validate(decoded.claims)
        claims = decoded.claims
        caller = Caller(str(claims["sub"]), str(claims["role"]), str(claims["sid"]))
        if len(self._verified) >= VERIFIED_TOKENS:
            self._verified.clear()
        self._verified[_digest(token)] = _Verified(caller, float(claims["exp"]))
        return caller

    def _fresh(self, fresh_s: float) -> bool:
        return time.monotonic() - self._fetched_at <= fresh_s

    async def _current_keys(self, fresh_s: float, kept_s: float) -> KeySet:
        """Keys at most `fresh_s` old, or those known where they are at most `kept_s` old and no others can be had."""
        async with self._fetching:
            if self._keys is None or not self._fresh(fresh_s):
                try:
                    self._keys = await self._fetched()
                except KeysUnavailable:
                    if self._keys is None or not self._fresh(kept_s):
                        raise
            return self._keys

    async def _fetched(self) -> KeySet:
        """The published keys. A caller that waited while a fetch failed gets the failure too, and does not wait for
        another fetch."""
        if time.monotonic() - self._failed_at < FAILED_S:
            raise KeysUnavailable("its keys could not be fetched a moment ago")
        try:
            keys = KeySet.import_key_set(await self._fetch_keys())  # type: ignore[arg-type]
        except Exception as failure:
            self._failed_at = time.monotonic()
            if isinstance(failure, PeerUnavailable):
                raise KeysUnavailable(failure.reason) from failure
            raise
        self._verified.clear()
        self._fetched_at = time.monotonic()
        return keys

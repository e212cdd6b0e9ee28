"""Who calls: the verified access token of a request, and what it permits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from eventfold.errors import NotPermitted, Unauthenticated

ALGORITHMS = ["ES256"]
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
KEYS_FRESH_S = 300.0
KEYS_RETRY_S = 5.0
CLOCK_LEEWAY_S = 5


@dataclass(frozen=True, slots=True)
class Caller:
    """The member behind a request, as the token says."""

    member_id: str
    role: str
    session_id: str

    def require(self, *roles: str) -> None:
        """Raise `NotPermitted` unless the member has one of these roles."""
        if self.role not in roles:
            raise NotPermitted(f"this needs one of the roles: {', '.join(roles)}", member_id=self.member_id)


FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]


class TokenVerifier:
    """Verifies access tokens against identity's published keys, which it fetches when needed and keeps for a while.

    Envoy has verified the token before; services do not take its word for it.
    """

    def __init__(self, fetch_keys: FetchKeys, issuer: str, audience: str) -> None:
        self._fetch_keys = fetch_keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=CLOCK_LEEWAY_S, iss={"essential": True, "value": issuer}, aud={"essential": True, "value": audience},
            exp={"essential": True}, sub={"essential": True},
        )  # fmt: skip
        self._keys: KeySet | None = None
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Caller:
        """The caller of a token. Raises `Unauthenticated` for any token that is not valid now."""
        try:
            return self._caller(token, await self._current_keys(KEYS_FRESH_S))
        except (JoseError, ValueError, KeyError):
            pass  # perhaps signed with a key that was published a moment ago: look once more, at most every few seconds
        try:
            return self._caller(token, await self._current_keys(KEYS_RETRY_S))
        except (JoseError, ValueError, KeyError) as failure:
            raise Unauthenticated("the access token is not valid", field="authorization") from failure

    def _caller(self, token: str, keys: KeySet) -> Caller:
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        if decoded.header.get("typ") != TOKEN_TYPE:
            raise ValueError("not an access token")
        self._claims.validate(decoded.claims)
        claims = decoded.claims
        return Caller(str(claims["sub"]), str(claims["role"]), str(claims["sid"]))

    async def _current_keys(self, fresh_s: float) -> KeySet:
        async with self._fetching:
            if self._keys is None or time.monotonic() - self._fetched_at > fresh_s:
                self._keys = KeySet.import_key_set(await self._fetch_keys())  # type: ignore[arg-type]
                self._fetched_at = time.monotonic()
            return self._keys

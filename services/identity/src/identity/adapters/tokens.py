"""Access tokens (RFC 9068, ES256), refresh tokens, and keyed hashes of values that must not be stored in plain."""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.jwk import ECKey

REFRESH_BYTES = 32
MARK_HEX = 32
CODE_CHARS = 10
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter that is read as another, or as a digit."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs access tokens. `key` is the P-256 private key; its thumbprint is the `kid`."""

    key: ECKey
    issuer: str
    audience: str
    lifetime: timedelta

    def access_token(self, member_id: str, role: str, session_id: str, now: datetime) -> str:
        """A signed token that identifies the member until `now + lifetime`."""
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": member_id,
            "role": role,
            "sid": session_id,
            "iat": int(now.timestamp()),
            "exp": int((now + self.lifetime).timestamp()),
        }
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": self.kid}, claims, self.key)

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint of the public key."""
        return self.key.thumbprint()

    def public_jwk(self) -> Mapping[str, str]:
        """The public key as JWK members."""
        public = self.key.as_dict(private=False)
        return {name: str(public[name]) for name in ("kty", "crv", "x", "y")}


@dataclass(frozen=True, slots=True)
class Issuers:
    """One issuer for each key. The first of `keys` (PEM) signs; all are published, so that a key can be replaced."""

    keys: Callable[[], Sequence[bytes]]
    issuer: str
    audience: str
    lifetime: timedelta

    def current(self) -> Issuer:
        """The issuer that signs now."""
        return self._of(self.keys()[0])

    def published(self) -> list[Issuer]:
        """All issuers whose signatures are accepted."""
        return [self._of(pem) for pem in self.keys()]

    def _of(self, pem: bytes) -> Issuer:
        return Issuer(_imported(pem), self.issuer, self.audience, self.lifetime)


@functools.lru_cache(maxsize=16)
def _imported(pem: bytes) -> ECKey:
    return ECKey.import_key(pem)


class Hashes:
    """Keyed hashes under the service's own key. Each kind has its own domain, so that none is valid as another kind."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def username_index(self, canonical_username: str) -> str:
        """Blind index of a username."""
        return self._digest("username", canonical_username)

    def new_refresh_secret(self, session_id: str) -> str:
        """The secret part of a refresh token, with a mark by which `issued` recognises it."""
        body = secrets.token_urlsafe(REFRESH_BYTES)
        return f"{body}.{self._mark(session_id, body)}"

    def following_refresh_secret(self, session_id: str, presented: str) -> str:
        """The secret that replaces a presented one. It follows from it, so that all who present the same at once, as
        the tabs of a browser do, are given the same."""
        body = self._digest("refresh-following", f"{session_id}|{presented}")
        return f"{body}.{self._mark(session_id, body)}"

    def issued(self, session_id: str, secret: str) -> bool:
        """Whether this service issued the secret for the session. Only an issued secret can be a reused one."""
        body, _, mark = secret.rpartition(".")
        return hmac.compare_digest(mark.encode(), self._mark(session_id, body).encode())

    def _mark(self, session_id: str, body: str) -> str:
        return self._digest("refresh-mark", f"{session_id}|{body}")[:MARK_HEX]

    def refresh(self, secret: str) -> str:
        """Hash of a refresh token's secret part."""
        return self._digest("refresh", secret)

    def code(self, member_id: str, code: str) -> str:
        """Hash of a one-time code, bound to its member."""
        return self._digest("code", f"{member_id}|{plain_code(code)}")

    def _digest(self, domain: str, text: str) -> str:
        return hmac.digest(self._key, f"{domain}|{text}".encode(), hashlib.sha256).hex()


def new_code() -> str:
    """A one-time code of `CODE_CHARS` signs in two groups. There are 2^50: nobody guesses one in its lifetime, however
    many they try."""
    signs = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_CHARS))
    return f"{signs[: CODE_CHARS // 2]}-{signs[CODE_CHARS // 2 :]}"


def plain_code(typed: str) -> str:
    """A code as people type it, without spaces and dashes, in capitals, with the signs that it may be read as."""
    signs = "".join(sign for sign in typed.upper() if sign not in " -")
    return signs.translate(str.maketrans("OIL", "011"))

"""Consistency tokens as clients see them: sealed under the service's own key, because a position tells how much happens
on the platform. The name of the service stays readable: every other one asks it what the token stands for.

The same token has the same text (AES-SIV, RFC 5297), so that a repeated command is answered alike.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from eventfold.errors import InvalidInput
from eventfold.reading.consistency import Token

MAX_CHARS = 300
_PURPOSE = b"consistency-token"


def sealed(token: Token, secret: bytes) -> str:
    """The text of a token of this service, under a key that follows from `secret`."""
    box = _cipher(secret).encrypt(token.encode().encode(), [_PURPOSE])
    return f"{token.service}.{base64.urlsafe_b64encode(box).decode().rstrip('=')}"


def opened(text: str, service: str, secrets: Sequence[bytes]) -> Token:
    """Inverse of `sealed` for the tokens of `service`, under any of `secrets`; of others' the service and the text.
    Raises `InvalidInput` for anything else."""
    owner, dot, box = text.partition(".")
    if not dot or len(text) > MAX_CHARS:
        raise InvalidInput("not a consistency token", field="x-lyceum-after")
    if owner != service:
        return Token(owner, 0, text=text)
    try:
        raw = base64.b64decode((box + "=" * (-len(box) % 4)).encode("ascii"), b"-_", validate=True)
    except (ValueError, binascii.Error) as failure:
        raise InvalidInput("not a consistency token", field="x-lyceum-after") from failure
    for secret in secrets:
        try:
            token = Token.decode(_cipher(secret).decrypt(raw, [_PURPOSE]).decode("ascii"))
        except (InvalidTag, ValueError):
            continue
        if token.service == service:
            return token
    raise InvalidInput("not a consistency token", field="x-lyceum-after")


@functools.lru_cache(maxsize=8)
def _cipher(secret: bytes) -> AESSIV:
    return AESSIV(hmac.digest(secret, _PURPOSE, hashlib.sha512))

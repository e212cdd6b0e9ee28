"""The signed envelope of a callback: what is in the headers, and the text that the signature covers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from billing.application.ports import UnreadableCallback

TIMESTAMP = "lyceum-sim-timestamp"
NONCE = "lyceum-sim-nonce"
SIGNATURE = "lyceum-sim-signature"
SERIAL = "lyceum-sim-serial"

MAX_HEADER_CHARS = 2048
MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class SignedCallback:
    """A callback whose signature has not been verified yet. `timestamp_s` is Unix time."""

    timestamp_s: int
    serial: str
    signature: bytes
    signed_text: bytes

    @staticmethod
    def of(headers: Mapping[str, str], body: bytes) -> SignedCallback:
        """Read the headers; the body stays raw. Raises `UnreadableCallback`, naming the header that is not right."""
        timestamp, nonce, serial = (_header(headers, name) for name in (TIMESTAMP, NONCE, SERIAL))
        if len(body) > MAX_BODY_BYTES:
            raise UnreadableCallback(f"more than {MAX_BODY_BYTES} bytes", field="payload")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            raise UnreadableCallback("must be Unix seconds", field=TIMESTAMP)
        text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        return SignedCallback(int(timestamp), serial, _signature(_header(headers, SIGNATURE)), text)


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not 1 <= len(value) <= MAX_HEADER_CHARS:
        raise UnreadableCallback("the header is missing or too long", field=name)
    return value


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise UnreadableCallback("must be base64", field=SIGNATURE) from failure

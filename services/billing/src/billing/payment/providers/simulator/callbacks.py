"""Callbacks: the signed envelope in their headers, verified over the raw body before that is read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from billing.payment.provider import ForgedCallback, Report, StaleCallback, UnreadableCallback
from billing.payment.providers.simulator.keys import SimulatorKeys
from billing.payment.providers.simulator.reports import payment_report

TIMESTAMP = "lyceum-sim-timestamp"
NONCE = "lyceum-sim-nonce"
SIGNATURE = "lyceum-sim-signature"
SERIAL = "lyceum-sim-serial"

WINDOW_S = 300
MAX_HEADER_CHARS = 2048
MAX_BODY_BYTES = 64 * 1024


async def verified(headers: Mapping[str, str], body: bytes, now: datetime, keys: SimulatorKeys) -> Report:
    """The report in a callback. Raises as `Provider.read_callback` does."""
    callback = SignedCallback.of(headers, body)
    if abs(now.timestamp() - callback.timestamp_s) >= WINDOW_S:
        raise StaleCallback(f"the timestamp is {WINDOW_S} s or more from now", field=TIMESTAMP)
    key = await keys.get(callback.serial)
    if key is None:
        raise ForgedCallback("signed with a key that is not the provider's", field=SERIAL)
    try:
        key.verify(callback.signature, callback.signed_text, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as failure:
        raise ForgedCallback("the signature does not fit the body", field=SIGNATURE) from failure
    return payment_report(body)


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

"""Callbacks: proven by their signature over the raw bytes, within a window, before anything is read."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from billing.money import Money
from billing.payment.provider import (
    ForgedCallback,
    ProviderUnavailable,
    Report,
    StaleCallback,
    UnreadableCallback,
)
from billing.payment.providers.simulator.keys import SimulatorKeys, serial_of
from billing.payment.providers.simulator.provider import Simulator

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BODY: dict[str, Any] = {
    "merchant_number": "0" * 32,
    "status": "paid",
    "amount_minor": 900,
    "currency": "CNY",
    "provider_reference": "ref",
    "reason": "",
}


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class KeySource:
    """Publishes one key at a time and counts how often it is asked."""

    def __init__(self, key: rsa.RSAPrivateKey = KEY) -> None:
        self.key = key
        self.asked = 0
        self.seconds = 100.0

    async def fetch(self) -> bytes:
        self.asked += 1
        return pem(self.key)

    def keys(self) -> SimulatorKeys:
        return SimulatorKeys(self.fetch, lambda: self.seconds)


def signed(body: bytes, *, key: rsa.RSAPrivateKey = KEY, at: datetime = NOW) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    signature = key.sign(f"{timestamp}\nnonce\n".encode() + body + b"\n", padding.PKCS1v15(), hashes.SHA256())
    return {
        "lyceum-sim-timestamp": timestamp,
        "lyceum-sim-nonce": "nonce",
        "lyceum-sim-signature": base64.b64encode(signature).decode(),
        "lyceum-sim-serial": serial_of(key.public_key()),
    }


async def read(headers: Mapping[str, str], body: bytes, source: KeySource | None = None) -> Report:
    async with aiohttp.ClientSession() as http:
        return await Simulator(http, "", "", (source or KeySource()).keys()).read_callback(headers, body, NOW)


def raw(**changes: Any) -> bytes:
    return json.dumps({**BODY, **changes}).encode()


async def test_a_signed_callback_is_read() -> None:
    assert await read(signed(raw()), raw()) == Report("0" * 32, "paid", Money(900, "CNY"), "ref", "")


@pytest.mark.parametrize("body", [raw(amount_minor=901), raw() + b" ", b"", b"\xff"])
async def test_an_altered_body_is_forged_and_never_parsed(body: bytes) -> None:
    with pytest.raises(ForgedCallback):
        await read(signed(raw()), body)


@pytest.mark.parametrize(
    "change", [{"lyceum-sim-nonce": "other"}, {"lyceum-sim-timestamp": str(int(NOW.timestamp()) + 1)}]
)
async def test_altered_headers_are_forged(change: dict[str, str]) -> None:
    with pytest.raises(ForgedCallback):
        await read({**signed(raw()), **change}, raw())


async def test_a_signature_of_another_key_is_forged() -> None:
    with pytest.raises(ForgedCallback) as refused:
        await read(signed(raw(), key=OTHER), raw())
    assert refused.value.field == "lyceum-sim-serial"
    with pytest.raises(ForgedCallback):
        await read({**signed(raw(), key=OTHER), "lyceum-sim-serial": serial_of(KEY.public_key())}, raw())


@pytest.mark.parametrize("off", [timedelta(seconds=300), timedelta(seconds=-300), timedelta(days=-1)])
async def test_a_callback_outside_the_window_is_stale(off: timedelta) -> None:
    with pytest.raises(StaleCallback):
        await read(signed(raw(), at=NOW + off), raw())


@pytest.mark.parametrize("off", [timedelta(seconds=299), timedelta(seconds=-299)])
async def test_a_callback_within_the_window_is_read(off: timedelta) -> None:
    assert (await read(signed(raw(), at=NOW + off), raw())).status == "paid"


@pytest.mark.parametrize("name", ["timestamp", "nonce", "signature", "serial"])
@pytest.mark.parametrize("value", [None, "", "x" * 3000])
async def test_a_missing_or_endless_header_is_named(name: str, value: str | None) -> None:
    headers = {**signed(raw()), f"lyceum-sim-{name}": value}
    with pytest.raises(UnreadableCallback) as refused:
        await read({key: text for key, text in headers.items() if text is not None}, raw())
    assert refused.value.field == f"lyceum-sim-{name}"


@pytest.mark.parametrize(
    ("name", "value"), [("timestamp", "now"), ("timestamp", "-5"), ("timestamp", "１"), ("signature", "§")]
)
async def test_a_header_of_another_form_is_named(name: str, value: str) -> None:
    with pytest.raises(UnreadableCallback) as refused:
        await read({**signed(raw()), f"lyceum-sim-{name}": value}, raw())
    assert refused.value.field == f"lyceum-sim-{name}"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"no json", "payload"),
        (b"[]", "payload"),
        (raw(status="unsure"), "status"),
        (raw(status=5), "status"),
        (raw(merchant_number=""), "merchant_number"),
        (raw(amount_minor=9.0), "amount_minor"),
        (raw(amount_minor=True), "amount_minor"),
        (raw(currency=None), "currency"),
        (raw(provider_reference=""), "provider_reference"),
        (raw(reason="x" * 201), "reason"),
        (raw(reason="a\x00"), "reason"),
        (raw(merchant_number="\x00" * 32), "merchant_number"),
        (raw(amount_minor=-1), "amount_minor"),
        (raw(amount_minor=2**63), "amount_minor"),
        (b"[" * 5_000 + b"]" * 5_000, "payload"),
        (b'{"reason":' * 5_000 + b"1" + b"}" * 5_000, "payload"),
        (b'{"reason":"\\ud800"}', "payload"),
    ],
)
async def test_a_signed_body_that_says_nothing_is_refused_by_name(body: bytes, field: str) -> None:
    with pytest.raises(UnreadableCallback) as refused:
        await read(signed(body), body)
    assert refused.value.field == field


async def test_unknown_serials_make_it_look_for_a_new_key_but_not_at_every_one() -> None:
    source = KeySource()
    keys = source.keys()
    serial, other = serial_of(KEY.public_key()), serial_of(OTHER.public_key())
    assert await keys.get(serial) and await keys.get(other) is None and await keys.get(other) is None
    assert source.asked == 1
    source.key, source.seconds = OTHER, source.seconds + 5
    assert await keys.get(other) and await keys.get(serial) is None
    assert source.asked == 2


async def test_without_a_key_the_provider_is_unavailable() -> None:
    async def unreadable() -> bytes:
        return b"not a key"

    with pytest.raises(ProviderUnavailable):
        await SimulatorKeys(unreadable).get("any")

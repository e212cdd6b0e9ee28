"""The simulator's public keys, by serial: from a folder, or asked of the simulator itself."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from billing.payment.provider import ProviderUnavailable

PUBLIC_KEY_FILE = "callback.pub.pem"
FETCH_TIMEOUT_S = 2.0
RETRY_S = 5.0

FetchPem = Callable[[], Awaitable[bytes]]


class SimulatorKeys:
    """Keeps the newest key; a serial that it does not know makes it look again, at most every `RETRY_S`."""

    def __init__(self, fetch: FetchPem, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock_s = clock_s
        self._keys: dict[str, rsa.RSAPublicKey] = {}
        self._looked_at_s = float("-inf")
        self._looking = asyncio.Lock()

    async def get(self, serial: str) -> rsa.RSAPublicKey | None:
        """The key of a serial; None if it is not the simulator's. Raises `ProviderUnavailable`."""
        async with self._looking:
            if serial not in self._keys and self._clock_s() - self._looked_at_s >= RETRY_S:
                key = _public_key(await self._fetch())
                self._looked_at_s = self._clock_s()
                self._keys = {serial_of(key): key}
            return self._keys.get(serial)


def _public_key(pem: bytes) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as failure:
        raise ProviderUnavailable("simulator", "its public key is unreadable") from failure
    if not isinstance(key, rsa.RSAPublicKey):
        raise ProviderUnavailable("simulator", "its public key is not RSA")
    return key


def serial_of(key: rsa.RSAPublicKey) -> str:
    """The serial under which a key signs: 16 hexadecimal digits of its SHA-256."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:16]


def from_folder(folder: Path) -> FetchPem:
    """Reads `callback.pub.pem`, which the simulator writes when it first starts."""

    async def fetch() -> bytes:
        try:
            return await asyncio.to_thread((folder / PUBLIC_KEY_FILE).read_bytes)
        except OSError as failure:
            raise ProviderUnavailable("simulator", f"{PUBLIC_KEY_FILE}: {type(failure).__name__}") from failure

    return fetch


def from_url(http: aiohttp.ClientSession, url: str) -> FetchPem:
    """Asks the simulator; trusts the network between the two."""

    async def fetch() -> bytes:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        try:
            async with http.get(f"{url.rstrip('/')}/v1/public-key", timeout=timeout) as response:
                response.raise_for_status()
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise ProviderUnavailable("simulator", type(failure).__name__) from failure

    return fetch

"""The simulated provider: asked over HTTP, heard through callbacks signed as WeChat Pay signs its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from billing.adapters.signature import SignedCallback
from billing.adapters.simulator_keys import SimulatorKeys
from billing.adapters.simulator_reports import payment_report
from billing.application.ports import ForgedCallback, ProviderUnavailable, Report, StaleCallback, UnreadableCallback
from billing.domain.payment import Intent

CALL_TIMEOUT_S = 2.0
WINDOW_S = 300


class Simulator:
    """See `Provider`. `callback_url` is where the simulator sends its reports."""

    name = "simulator"

    def __init__(self, http: aiohttp.ClientSession, url: str, callback_url: str, keys: SimulatorKeys) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._callback_url = callback_url
        self._keys = keys

    async def create(self, intent: Intent, merchant_number: str) -> str:
        """See `Provider.create`."""
        body = {
            "merchant_number": merchant_number, "amount_minor": intent.amount.amount_minor,
            "currency": intent.amount.currency, "callback_url": self._callback_url,
        }  # fmt: skip
        answer = await self._call("POST", "/v1/payments", body)
        return str((answer or {}).get("pay_url", ""))

    async def query(self, merchant_number: str) -> Report | None:
        """See `Provider.query`."""
        return self._report(await self._call("GET", f"/v1/payments/{merchant_number}"))

    async def close(self, merchant_number: str) -> Report | None:
        """See `Provider.close`."""
        return self._report(await self._call("POST", f"/v1/payments/{merchant_number}/close"))

    async def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """See `Provider.read_callback`."""
        callback = SignedCallback.of(headers, body)
        if abs(now.timestamp() - callback.timestamp_s) >= WINDOW_S:
            raise StaleCallback(f"the timestamp is {WINDOW_S} s or more from now", field="lyceum-sim-timestamp")
        key = await self._keys.get(callback.serial)
        if key is None:
            raise ForgedCallback("signed with a key that is not the provider's", field="lyceum-sim-serial")
        try:
            key.verify(callback.signature, callback.signed_text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as failure:
            raise ForgedCallback("the signature does not fit the body", field="lyceum-sim-signature") from failure
        return payment_report(body)

    def _report(self, answer: dict[str, Any] | None) -> Report | None:
        """An answer is not signed, but comes from the address that we asked."""
        try:
            return None if answer is None else payment_report(json.dumps(answer).encode())
        except UnreadableCallback as failure:
            raise ProviderUnavailable(self.name, f"unreadable {failure.field}") from failure

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The JSON answer; None for 404. Raises `ProviderUnavailable` for anything else that is not success."""
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        try:
            async with self._http.request(method, self._url + path, json=body, timeout=timeout) as response:
                if response.status == 404:
                    return None
                response.raise_for_status()
                answer: dict[str, Any] = await response.json()
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
            raise ProviderUnavailable(self.name, type(failure).__name__) from failure

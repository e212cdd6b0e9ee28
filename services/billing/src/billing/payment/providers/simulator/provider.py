"""The simulated provider: asked over HTTP, heard through callbacks signed as WeChat Pay signs its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp

from billing.payment.domain import Intent
from billing.payment.provider import ProviderUnavailable, Report, UnreadableCallback
from billing.payment.providers.simulator.callbacks import verified
from billing.payment.providers.simulator.keys import SimulatorKeys
from billing.payment.providers.simulator.reports import payment_report

CALL_TIMEOUT_S = 2.0


class Simulator:
    """See `Provider`. `callback_url` is where the simulator sends its reports."""

    name = "simulator"
    answer = "SUCCESS"

    def __init__(self, http: aiohttp.ClientSession, url: str, callback_url: str, keys: SimulatorKeys) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._callback_url = callback_url
        self._keys = keys

    async def execute(self, number: str, request: Intent) -> Report:
        """Have the buyer pay: a payment that waits for him, whatever has become of it."""
        body = {
            "merchant_number": number,
            "amount_minor": request.amount.amount_minor,
            "currency": request.amount.currency,
            "callback_url": self._callback_url,
        }
        answer = await self._call("POST", "/v1/payments", body)
        return Report(
            merchant_number=number,
            status="pending",
            amount=request.amount,
            provider_reference="",
            reason="",
            pay_url=str((answer or {}).get("pay_url", "")),
        )

    async def query(self, number: str) -> Report | None:
        """See `Provider.query`."""
        return self._report(await self._call("GET", f"/v1/payments/{number}"))

    async def close(self, merchant_number: str) -> Report | None:
        """See `Provider.close`."""
        return self._report(await self._call("POST", f"/v1/payments/{merchant_number}/close"))

    async def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """See `Provider.read_callback`."""
        return await verified(headers, body, now, self._keys)

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

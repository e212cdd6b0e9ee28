"""Delivers callbacks as real providers do: at least once in normal operation, with bounded retries, in no fixed
order."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from dataclasses import dataclass, replace

import aiohttp

from payment_simulator.book import Payment
from payment_simulator.signing import Signer

log = logging.getLogger(__name__)

MAX_PAUSE_S = 10.0
MAX_AT_ONCE = 16
MAX_WAITING = 100_000


@dataclass(frozen=True, slots=True)
class Patience:
    """The number of tries of a callback, the first pause (pauses double), and the time limit for an answer."""

    attempts: int
    first_pause_s: float
    timeout_s: float


class Callbacks:
    """Sends reports to merchants in the background; `delivered` counts the accepted ones."""

    def __init__(self, http: aiohttp.ClientSession, signer: Signer, patience: Patience) -> None:
        self._http = http
        self._signer = signer
        self._patience = patience
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self.delivered = 0
        self.given_up = 0

    def send(self, payment: Payment) -> None:
        """Begin to deliver the report of a payment, with its faults. Does not wait."""
        if payment.faults.lose:
            return
        for _ in range(payment.faults.copies):
            if len(self._tasks) >= MAX_WAITING:
                log.error("too many callbacks wait; one is dropped")
                return
            task = asyncio.create_task(self._deliver(payment))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop undelivered callbacks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, payment: Payment) -> None:
        await asyncio.sleep(payment.faults.delay_ms / 1000)
        pause_s = self._patience.first_pause_s
        for attempt in range(1, self._patience.attempts + 1):
            async with self._at_once:
                accepted = await self._post(payment)
            if accepted:
                self.delivered += 1
                return
            if attempt < self._patience.attempts:
                await asyncio.sleep(pause_s)
                pause_s = min(MAX_PAUSE_S, pause_s * 2)
        self.given_up += 1
        log.warning("callback of %s given up", payment.merchant_number)

    async def _post(self, payment: Payment) -> bool:
        body, headers = self._signed(payment)
        timeout = aiohttp.ClientTimeout(total=self._patience.timeout_s)
        try:
            async with self._http.post(payment.callback_url, data=body, headers=headers, timeout=timeout) as response:
                await response.read()
                return response.status in (200, 204)
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _signed(self, payment: Payment) -> tuple[bytes, dict[str, str]]:
        alter = payment.faults.alter
        told = replace(payment, amount_minor=payment.amount_minor + 1) if alter == "amount" else payment
        body = json.dumps(told.report()).encode()
        headers = dict(self._signer.headers(body, int(time.time()), secrets.token_hex(16)))
        headers["Content-Type"] = "application/json"
        if alter == "body":
            body += b" "
        if alter == "signature":
            headers["Lyceum-Sim-Signature"] = "A" * len(headers["Lyceum-Sim-Signature"])
        return body, headers

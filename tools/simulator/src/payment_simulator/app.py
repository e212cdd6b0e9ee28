"""The simulator's HTTP interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
from aiohttp import web

from payment_simulator import requests
from payment_simulator.book import Book, Payment, Refused
from payment_simulator.callbacks import Callbacks, Patience
from payment_simulator.pages import Pages
from payment_simulator.settings import SimulatorSettings
from payment_simulator.signing import Signer

MAX_BODY_BYTES = 64 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Simulator:
    """One provider: a book on disk, a key, and callbacks in delivery."""

    def __init__(self, settings: SimulatorSettings, signer: Signer) -> None:
        self._settings = settings
        self._signer = signer
        self._pages = Pages(settings.data_dir or settings.key_dir)
        self._book = Book(self._pages)
        self._callbacks: Callbacks | None = None

    def app(self) -> web.Application:
        """The application; its background work ends with it."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_refusals])
        app.cleanup_ctx.append(self._running)
        app.add_routes(
            [
                web.get("/v1/public-key", self.public_key),
                web.get("/v1/book", self.book),
                web.post("/v1/payments", self.create),
                web.get("/v1/payments/{number}", self.get),
                web.post("/v1/payments/{number}/pay", self.pay),
                web.post("/v1/payments/{number}/close", self.close),
                web.post("/v1/payments/{number}/faults", self.set_faults),
            ]
        )
        return app

    async def public_key(self, _: web.Request) -> web.Response:
        """The key that verifies callbacks, PEM; its serial in a header."""
        headers = {"Lyceum-Sim-Serial": self._signer.serial}
        return web.Response(body=self._signer.public_pem, content_type="application/x-pem-file", headers=headers)

    async def book(self, _: web.Request) -> web.Response:
        """Totals by status and currency, and the results of the callbacks."""
        sent = self._sending
        return web.json_response(
            {
                "totals": self._book.totals(),
                "callbacks_delivered": sent.delivered,
                "callbacks_given_up": sent.given_up,
            }
        )

    async def create(self, request: web.Request) -> web.Response:
        """Create a payment, or answer with the existing payment of that merchant number."""
        payment = self._book.create(requests.payment(await _json(request)))
        if self._settings.auto_pay and payment.status == "pending":
            payment = self._pay(payment.merchant_number)
        return web.json_response({**payment.report(), "pay_url": self._pay_url(payment)})

    async def get(self, request: web.Request) -> web.Response:
        """A payment in its present state."""
        return web.json_response(self._book.get(request.match_info["number"]).report())

    async def pay(self, request: web.Request) -> web.Response:
        """The buyer pays; the callback follows. Paying again sends another callback."""
        return web.json_response(self._pay(request.match_info["number"]).report())

    async def close(self, request: web.Request) -> web.Response:
        """Stop waiting for the buyer."""
        return web.json_response(self._book.close(request.match_info["number"]).report())

    async def set_faults(self, request: web.Request) -> web.Response:
        """Set the faults of a payment's callbacks from now on; an empty object removes them."""
        payment = self._book.get(request.match_info["number"])
        faults = requests.faults(await _json(request))
        return web.json_response(self._book.misbehave(payment.merchant_number, faults).report())

    @property
    def _sending(self) -> Callbacks:
        if self._callbacks is None:
            raise RuntimeError("the application has not been started")
        return self._callbacks

    def _pay(self, number: str) -> Payment:
        payment = self._book.pay(number)
        self._sending.send(payment)
        return payment

    def _pay_url(self, payment: Payment) -> str:
        told = self._settings
        base = told.simulator_url.rstrip("/") or f"http://{told.simulator_host}:{told.simulator_port}"
        return f"{base}/v1/payments/{payment.merchant_number}/pay"

    async def _running(self, _: web.Application) -> AsyncIterator[None]:
        settings = self._settings
        patience = Patience(settings.callback_attempts, settings.callback_first_pause_s, settings.callback_timeout_s)
        async with aiohttp.ClientSession() as http:
            self._callbacks = Callbacks(http, self._signer, patience)
            yield
            await self._callbacks.close()
        self._pages.close()


async def _json(request: web.Request) -> object:
    try:
        return await request.json()
    except ValueError as failure:
        raise Refused("must be JSON", "body") from failure


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response({"error": str(refused), "field": refused.field}, status=refused.status)

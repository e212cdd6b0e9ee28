"""The simulated provider: its book, its signed callbacks, and the ways in which it misbehaves."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from payment_simulator.app import Simulator
from payment_simulator.settings import SimulatorSettings
from payment_simulator.signing import PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, signer_of

WAIT_S = 30.0
Client = TestClient[web.Request, web.Application]


@dataclass
class Merchant:
    """Takes callbacks; answers with the statuses in `refusals` first, then with success."""

    refusals: list[int] = field(default_factory=list)
    arrived: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def take(self, request: web.Request) -> web.Response:
        self.arrived.put_nowait((dict(request.headers), await request.read()))
        return web.Response(status=self.refusals.pop(0) if self.refusals else 200)

    async def next(self) -> tuple[dict[str, str], bytes]:
        return await asyncio.wait_for(self.arrived.get(), WAIT_S)


@dataclass
class Scene:
    """A simulator and a merchant that listens."""

    client: Client
    merchant: Merchant
    callback_url: str
    folder: Path

    async def post(self, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        async with self.client.post(path, json=body) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> Any:
        async with self.client.get(path) as response:
            return await response.json()

    async def created(self, number: str = "n1", **more: Any) -> tuple[int, dict[str, Any]]:
        body = {"merchant_number": number, "amount_minor": 900, "currency": "CNY", "callback_url": self.callback_url}
        return await self.post("/v1/payments", {**body, **more})

    async def until(self, name: str, value: int) -> None:
        """Wait until the book's counter `name` has reached `value`."""
        give_up_at = time.monotonic() + WAIT_S
        while (await self.get("/v1/book"))[name] < value:
            assert time.monotonic() < give_up_at, f"{name} has not reached {value}"

    def verify(self, headers: dict[str, str], body: bytes) -> None:
        key = serialization.load_pem_public_key((self.folder / PUBLIC_KEY_FILE).read_bytes())
        assert isinstance(key, rsa.RSAPublicKey)
        text = f"{headers['Lyceum-Sim-Timestamp']}\n{headers['Lyceum-Sim-Nonce']}\n".encode() + body + b"\n"
        key.verify(base64.b64decode(headers["Lyceum-Sim-Signature"]), text, padding.PKCS1v15(), hashes.SHA256())


async def scenes(folder: Path, **settings: Any) -> AsyncIterator[Scene]:
    merchant = Merchant()
    app = web.Application()
    app.router.add_post("/callback", merchant.take)
    configured = SimulatorSettings(key_dir=folder, callback_first_pause_s=0.01, callback_attempts=3, **settings)
    async with (
        TestServer(app) as there,
        TestClient(TestServer(Simulator(configured, signer_of(folder)).app())) as client,
    ):
        yield Scene(client, merchant, str(there.make_url("/callback")), folder)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async for one in scenes(tmp_path):
        yield one


async def test_given_an_address_for_buyers_when_a_payment_is_created_then_its_page_is_there(tmp_path: Path) -> None:
    async for scene in scenes(tmp_path, simulator_url="https://pay.example.org/"):
        _, payment = await scene.created()
        assert payment["pay_url"] == "https://pay.example.org/v1/payments/n1/pay"


async def test_a_payment_is_created_paid_and_reported_with_a_signature(scene: Scene) -> None:
    status, payment = await scene.created()
    assert (status, payment["status"]) == (200, "pending") and payment["pay_url"].endswith("/v1/payments/n1/pay")
    assert (await scene.post("/v1/payments/n1/pay"))[1]["status"] == "paid"
    headers, body = await scene.merchant.next()
    scene.verify(headers, body)
    assert body.decode().startswith('{"merchant_number": "n1", "status": "paid", "amount_minor": 900')
    await scene.until("callbacks_delivered", 1)
    assert (await scene.get("/v1/book"))["totals"] == {"paid": {"CNY": {"payments": 1, "amount_minor": 900}}}


async def test_creating_again_answers_with_the_same_payment_and_refuses_another_amount(scene: Scene) -> None:
    await scene.created()
    await scene.post("/v1/payments/n1/pay")
    assert (await scene.created())[1]["status"] == "paid"
    status, refusal = await scene.created(amount_minor=901)
    assert (status, refusal["field"]) == (409, "merchant_number")


async def test_paying_again_sends_another_callback_of_the_same_reference(scene: Scene) -> None:
    await scene.created()
    answers = [(await scene.post("/v1/payments/n1/pay"))[1] for _ in range(2)]
    assert answers[0] == answers[1]
    assert (await scene.merchant.next())[1] == (await scene.merchant.next())[1]


async def test_a_refused_callback_is_tried_again_a_bounded_number_of_times(scene: Scene) -> None:
    scene.merchant.refusals = [500, 403]
    await scene.created()
    await scene.post("/v1/payments/n1/pay")
    await scene.until("callbacks_delivered", 1)
    scene.merchant.refusals = [500] * 3
    await scene.post("/v1/payments/n1/pay")
    await scene.until("callbacks_given_up", 1)
    assert scene.merchant.arrived.qsize() == 6


async def test_callbacks_are_lost_or_copied_as_told(scene: Scene) -> None:
    await scene.created("lost", faults={"lose": True})
    await scene.post("/v1/payments/lost/pay")
    await scene.created("copied", faults={"copies": 3, "delay_ms": 1})
    await scene.post("/v1/payments/copied/pay")
    await scene.until("callbacks_delivered", 3)
    assert scene.merchant.arrived.qsize() == 3
    assert (await scene.get("/v1/payments/lost"))["status"] == "paid"
    await scene.post("/v1/payments/lost/faults", {})
    await scene.post("/v1/payments/lost/pay")
    await scene.until("callbacks_delivered", 4)


@pytest.mark.parametrize("alter", ["body", "signature"])
async def test_spoilt_callbacks_do_not_verify(scene: Scene, alter: str) -> None:
    await scene.created(faults={"alter": alter})
    await scene.post("/v1/payments/n1/pay")
    headers, body = await scene.merchant.next()
    with pytest.raises(InvalidSignature):
        scene.verify(headers, body)


async def test_a_wrong_amount_is_truly_signed(scene: Scene) -> None:
    await scene.created(faults={"alter": "amount"})
    await scene.post("/v1/payments/n1/pay")
    headers, body = await scene.merchant.next()
    scene.verify(headers, body)
    assert b'"amount_minor": 901' in body


async def test_a_failing_payment_reports_why(scene: Scene) -> None:
    await scene.created(faults={"fail": True})
    assert (await scene.post("/v1/payments/n1/pay"))[1]["status"] == "failed"
    assert b"the buyer's bank refused" in (await scene.merchant.next())[1]


async def test_a_closed_payment_cannot_be_paid_and_a_paid_one_not_closed(scene: Scene) -> None:
    await scene.created("closed")
    await scene.post("/v1/payments/closed/close")
    assert (await scene.post("/v1/payments/closed/pay"))[0] == 409
    await scene.created("paid")
    await scene.post("/v1/payments/paid/pay")
    assert (await scene.post("/v1/payments/paid/close"))[1]["status"] == "paid"


async def test_an_unknown_payment_is_404(scene: Scene) -> None:
    async with scene.client.get("/v1/payments/nobody") as response:
        assert response.status == 404
    assert (await scene.post("/v1/payments/nobody/pay"))[0] == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"merchant_number": ""}, "merchant_number"),
        ({"amount_minor": 0}, "amount_minor"),
        ({"amount_minor": "5"}, "amount_minor"),
        ({"currency": None}, "currency"),
        ({"callback_url": 5}, "callback_url"),
        ({"faults": {"copies": 101}}, "faults.copies"),
        ({"faults": {"alter": "all"}}, "faults.alter"),
        ({"faults": {"unknown": 1}}, "faults"),
    ],
)
async def test_bad_requests_are_named(scene: Scene, change: dict[str, Any], field: str) -> None:
    status, refusal = await scene.created(**change)
    assert (status, refusal["field"]) == (400, field)


async def test_it_can_pay_by_itself(tmp_path: Path) -> None:
    async for scene in scenes(tmp_path, auto_pay=True):
        assert (await scene.created())[1]["status"] == "paid"
        assert b'"paid"' in (await scene.merchant.next())[1]


async def test_after_a_restart_a_number_answers_as_before(tmp_path: Path) -> None:
    async for scene in scenes(tmp_path, data_dir=tmp_path / "book"):
        await scene.created("paid", faults={"lose": True})
        await scene.post("/v1/payments/paid/pay")
        await scene.created("closed")
        await scene.post("/v1/payments/closed/close")
        before = [await scene.get(f"/v1/payments/{number}") for number in ("paid", "closed")]
        totals = (await scene.get("/v1/book"))["totals"]
    async for scene in scenes(tmp_path, data_dir=tmp_path / "book"):
        assert (await scene.created("paid"))[1] == {**before[0], "pay_url": mock.ANY}
        assert (await scene.created("paid", amount_minor=901))[0] == 409
        assert (await scene.post("/v1/payments/closed/pay"))[0] == 409
        assert [await scene.get(f"/v1/payments/{number}") for number in ("paid", "closed")] == before
        assert (await scene.get("/v1/book"))["totals"] == totals
        await scene.post("/v1/payments/paid/pay")
        assert scene.merchant.arrived.empty(), "how its callbacks misbehave is kept too"


async def test_a_full_book_takes_no_more_and_says_so_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payment_simulator.book.MAX_PAYMENTS", 2)
    for _ in range(2):
        async for scene in scenes(tmp_path):
            assert [(await scene.created(f"n{n}"))[0] for n in range(3)] == [200, 200, 507]


def test_the_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    first, again = signer_of(tmp_path / "keys"), signer_of(tmp_path / "keys")
    assert first.serial == again.serial
    assert (tmp_path / "keys" / PRIVATE_KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700

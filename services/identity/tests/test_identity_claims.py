"""One-time codes and the accounts that are claimed with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from identity_house import IMPORTER, IdentityHouse, claim, code_for, erase, importing, sent
from prometheus_client import REGISTRY
from relaying import eventually

from contracts.external_ids import imported_id
from identity.adapters.notifier import WebhookNotifier
from identity.adapters.passwords import BURST_ATTEMPTS, TooManyAttempts
from identity.bootstrap import NotifierMissing, notifier
from identity.domain.member import MAX_CODES, WrongCode
from identity.entrypoints.claim_codes import MAX_UNDER_WAY
from identity.settings import IdentitySettings
from lyceum.identity.v1 import identity_pb2 as pb
from servicekit.testing import refused

LONGER_THAN_ALL_ASK_S = 60.0


async def test_an_imported_account_is_claimed_with_its_code_and_only_once(house: IdentityHouse) -> None:
    await house.call(importing("sleeper"), IMPORTER)
    code = await code_for(house, "Sleeper")
    assert sent(house)[-1]["username"] == "sleeper"
    wrong = "00000-00000" if code != "00000-00000" else "11111-11111"
    await refused(house.call(claim("sleeper", wrong)), WrongCode)
    assert (
        await house.call(claim("sleeper", f" {code.lower().replace('-', ' ').replace('0', 'O')}"))
    ).message == "Account claimed successfully."
    assert (await house.log_in("sleeper")).member_id == imported_id("member", "d", "0")
    await refused(house.call(claim("sleeper", code)), WrongCode)


async def test_codes_are_asked_for_in_vain_without_a_hint(house: IdentityHouse) -> None:
    await house.register("claimed")
    await house.call(importing("waiting"), IMPORTER)
    names = ("claimed", "nobody-here", "waiting")
    answers = {await asked(house, name) for name in names[:2]}
    await code_for(house, "waiting")
    assert answers == {await asked(house, "nobody-here")}
    assert sent(house)[-1]["username"] == "waiting"
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.claim_code_issued'") == [(1,)]


async def test_guesses_leave_nothing_behind_and_their_owner_is_let_in(house: IdentityHouse) -> None:
    await house.call(importing("guessed"), IMPORTER)
    code = await code_for(house, "guessed")
    before = await house.rows("SELECT count(*) FROM events")
    refusals = [await guessed(house, "guessed", "10.0.0.66") for _ in range(40)]
    assert BURST_ATTEMPTS <= refusals.count(WrongCode) < 40 and TooManyAttempts in refusals
    assert await house.rows("SELECT count(*) FROM events") == before
    answer = await house.call(claim("guessed", code), x_lyceum_client="10.0.0.1")
    assert answer.message == "Account claimed successfully."


async def guessed(house: IdentityHouse, name: str, client: str) -> type[Exception]:
    """How a wrong code is refused."""
    with pytest.raises((WrongCode, TooManyAttempts)) as refusal:
        await house.call(claim(name, "wrong"), x_lyceum_client=client)
    return refusal.type


async def test_asking_again_and_again_sends_one_code_a_minute_and_no_more_than_a_few(house: IdentityHouse) -> None:
    await house.call(importing("flooded"), IMPORTER)
    begun = house.now
    await code_for(house, "flooded")
    for second in range(1, 300, 7):
        house.now = begun + timedelta(seconds=second)
        await house.call(pb.IssueClaimCodeRequest(username="flooded"), x_lyceum_client=f"10.0.1.{second % 250}")
        await asyncio.gather(*(task for task in asyncio.all_tasks() if "ClaimCodes._counted" in repr(task)))
    assert [one["username"] for one in sent(house)].count("flooded") == MAX_CODES


async def test_a_code_of_another_account_is_no_code(house: IdentityHouse) -> None:
    await house.call(importing("one-1", "two-2"), IMPORTER)
    stolen = await code_for(house, "one-1")
    if await code_for(house, "two-2") != stolen:
        await refused(house.call(claim("two-2", stolen)), WrongCode)


async def asked(house: IdentityHouse, name: str) -> bytes:
    """The answer to who asks for a code, to the last byte."""
    answer: bytes = (await house.call(pb.IssueClaimCodeRequest(username=name))).SerializeToString()
    return answer


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("lyceum_identity_claim_codes_total", {"outcome": outcome}) or 0.0


@dataclass
class Webhook:
    """The operator's messaging service as it should not be: it answers with an error, or not before it is let."""

    failing: bool = True
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    posted: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.posted.append(await request.json())
        await self.may_answer.wait()
        return web.Response(status=500 if self.failing else 204)


@pytest.fixture
async def webhook(house: IdentityHouse, unused_tcp_port: int) -> AsyncIterator[Webhook]:
    """`house` delivers its codes here."""
    hook = Webhook()
    runner = web.ServerRunner(web.Server(hook))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    house.notify_by(WebhookNotifier(f"http://127.0.0.1:{unused_tcp_port}/codes"))
    yield hook
    hook.may_answer.set()
    await runner.cleanup()


async def test_a_failing_notifier_tells_the_caller_nothing_and_the_operator_something(
    house: IdentityHouse, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a webhook that answers 500, then all who ask are answered alike, and the failure is counted and logged."""
    await house.call(importing("waiting"), IMPORTER)
    webhook.may_answer.set()
    before = counted("failed")
    assert await asked(house, "waiting") == await asked(house, "nobody-here")
    await eventually(reached(lambda: counted("failed") == before + 1))
    [failure] = [record for record in caplog.records if record.name == "identity.entrypoints.claim_codes"]
    assert failure.__dict__["member_id"] == imported_id("member", "d", "0")
    assert webhook.posted[0]["code"] not in caplog.text and "waiting" not in caplog.text


async def test_the_answer_does_not_wait_for_the_notifier(house: IdentityHouse, webhook: Webhook) -> None:
    """Given a webhook that never answers, then who asks is answered all the same, and the code is valid."""
    await house.call(importing("waiting"), IMPORTER)
    assert await asked(house, "waiting") == await asked(house, "nobody-here")
    await eventually(reached(lambda: len(webhook.posted) == 1))
    assert (await house.call(claim("waiting", webhook.posted[0]["code"]))).message == "Account claimed successfully."


async def test_an_erased_account_is_answered_like_one_that_never_was(house: IdentityHouse) -> None:
    await house.call(importing("erased"), IMPORTER)
    await erase(house, imported_id("member", "d", "0"))
    before = counted("failed")
    assert await asked(house, "erased") == await asked(house, "nobody-here")
    await eventually(reached(lambda: counted("failed") == before + 1))
    assert not await house.rows("SELECT 1 FROM events WHERE type = 'member.claim_code_issued'")


async def test_codes_under_way_are_bounded_and_what_is_over_is_answered_alike(
    house: IdentityHouse, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.adapters.notifier.SEND_TIMEOUT_S", LONGER_THAN_ALL_ASK_S)  # none ends meanwhile
    names = [f"many-{number}" for number in range(MAX_UNDER_WAY + 3)]
    await house.call(importing(*names), IMPORTER)
    before = counted("dropped")
    assert {await asked(house, name) for name in names} == {await asked(house, "nobody-here")}
    assert counted("dropped") == before + 3


def reached(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return condition()

    return check


def test_production_does_not_start_without_a_way_to_send_codes(tmp_path: Path) -> None:
    settings = IdentitySettings(database_url="x", kafka_bootstrap="x", key_dir=tmp_path)
    with pytest.raises(NotifierMissing):
        notifier(settings)

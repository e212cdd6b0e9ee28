"""What is built into each call: repetition, keys, deadlines, tokens, errors. The gateway is a function here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from lyceum_client import How, Lyceum
from lyceum_client.errors import (
    BadAnswer,
    BadRequest,
    FailedPrecondition,
    NoAnswer,
    NotLoggedIn,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from lyceum_client.messages import billing, catalog, common, identity, metrics, notifications

TEXT = catalog.PublishContentRequest(kind="text", title="t", body="b", access="free")
PUBLISHED = {"content_id": "c1", "consistency_token": "catalog.AAA"}


class Gateway:
    """Answers with what is laid out, one after the other (the last one again), and keeps what it was sent."""

    def __init__(self, *answers: httpx.Response | Exception, life_s: int = 900) -> None:
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []
        self.pauses_s: list[float] = []
        self.now_s = 0.0
        self.life_s = life_s
        self.refreshes = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/sessions":
            return self._tokens("a0", "r0", member_id="m1", role="creator")
        if request.url.path == "/v1/sessions:refresh":
            await asyncio.sleep(0)
            self.refreshes += 1
            assert json.loads(request.content) == {"refresh_token": f"r{self.refreshes - 1}"}
            return self._tokens(f"a{self.refreshes}", f"r{self.refreshes}")
        self.sent.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def _tokens(self, access: str, refresh: str, **more: str) -> httpx.Response:
        return httpx.Response(
            200, json={"access_token": access, "refresh_token": refresh, "expires_in_s": self.life_s, **more}
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses_s.append(seconds)

    async def joined(self) -> Lyceum:
        lyceum = self.stranger()
        await lyceum.log_in("wang", "secret")
        return lyceum

    def stranger(self) -> Lyceum:
        transport = httpx.MockTransport(self)
        return Lyceum("http://gateway", transport=transport, clock=lambda: self.now_s, pause=self._pause)

    def told(self, name: str) -> list[str | None]:
        return [one.headers.get(name) for one in self.sent]


def ok(body: Any, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def refused(status: int, code: int, reason: str, field: str = "", **headers: str) -> httpx.Response:
    info = {"@type": "x", "reason": reason, "metadata": {"field": field} if field else {}}
    body = {"code": code, "message": reason.lower(), "details": [info]}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_a_command_keeps_its_key_and_id_over_attempts_and_the_next_has_others() -> None:
    gateway = Gateway(httpx.ReadError("lost"), httpx.Response(502, text="proxy"), ok(PUBLISHED))
    lyceum = await gateway.joined()
    await lyceum.catalog.publish_content(TEXT)
    await lyceum.catalog.publish_content(TEXT)
    *first, last = gateway.told("idempotency-key")
    assert len(first) == 3 and len(set(first)) == 1 and first[0] and last != first[0]
    assert len(set(gateway.told("x-request-id")[:3])) == 1


async def test_a_command_without_a_key_is_not_sent_again_when_nobody_knows_what_became_of_it() -> None:
    gateway = Gateway(httpx.ReadError("lost"))
    lyceum = await gateway.joined()
    with pytest.raises(NoAnswer) as none:
        await lyceum.catalog.record_interactions(catalog.RecordInteractionsRequest())
    assert (none.value.attempts, none.value.idempotency_key, len(gateway.sent)) == (1, "", 1)


@pytest.mark.parametrize(
    "first", [httpx.ConnectError("down"), refused(429, 8, "TOO_MANY_CALLS", retry_after="2")], ids=["unsent", "limited"]
)
async def test_what_never_began_may_always_be_sent_again(first: httpx.Response | Exception) -> None:
    gateway = Gateway(first, ok({"results": []}))
    lyceum = await gateway.joined()
    await lyceum.catalog.record_interactions(catalog.RecordInteractionsRequest())
    assert len(gateway.sent) == 2


async def test_retry_after_is_waited_for_and_attempts_are_bounded() -> None:
    gateway = Gateway(refused(429, 8, "TOO_MANY_CALLS", retry_after="2"))
    with pytest.raises(ResourceExhausted) as limited:
        await gateway.stranger().catalog.list_contents()
    assert limited.value.retry_after_s == 2
    assert len(gateway.sent) == 6 and all(2 <= one <= 2.2 for one in gateway.pauses_s)


async def test_nothing_is_waited_for_that_lies_behind_the_deadline() -> None:
    gateway = Gateway(refused(429, 8, "TOO_MANY_CALLS", retry_after="60"))
    with pytest.raises(ResourceExhausted):
        await gateway.stranger().catalog.list_contents(how=How(deadline_s=5))
    assert gateway.pauses_s == []


async def test_a_limit_of_what_there_is_to_have_is_not_asked_for_again() -> None:
    gateway = Gateway(refused(429, 8, "SOLD_OUT"))
    lyceum = await gateway.joined()
    with pytest.raises(ResourceExhausted):
        await lyceum.billing.place_order(billing.PlaceOrderRequest())
    assert len(gateway.sent) == 1


async def test_a_call_ends_by_its_deadline_and_tells_the_platform_when() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        await asyncio.sleep(60)
        raise AssertionError

    sent: list[httpx.Request] = []
    lyceum = Lyceum("http://gateway", transport=httpx.MockTransport(never))
    with pytest.raises(NoAnswer):
        await lyceum.catalog.list_contents(how=How(deadline_s=0.05))
    assert 1 <= int(sent[0].headers["grpc-timeout"].removesuffix("m")) <= 50


async def test_many_calls_renew_a_token_before_its_end_once() -> None:
    gateway = Gateway(ok({"contents": []}), life_s=900)
    lyceum = await gateway.joined()
    gateway.now_s = 841
    await asyncio.gather(*(lyceum.catalog.list_contents() for _ in range(5)))
    assert gateway.refreshes == 1
    assert set(gateway.told("authorization")) == {"Bearer a1"}


async def test_a_refresh_goes_on_when_the_call_that_began_it_is_given_up() -> None:
    gateway = Gateway(ok({"contents": []}))
    lyceum = await gateway.joined()
    gateway.now_s = 841
    first = asyncio.create_task(lyceum.catalog.list_contents())
    await asyncio.sleep(0)
    first.cancel()
    await lyceum.catalog.list_contents()
    assert gateway.refreshes == 1


async def test_a_token_that_does_not_count_any_more_is_renewed_and_the_call_made_again() -> None:
    gateway = Gateway(refused(401, 16, "UNAUTHENTICATED"), ok(PUBLISHED))
    lyceum = await gateway.joined()
    await lyceum.catalog.publish_content(TEXT)
    assert gateway.told("authorization") == ["Bearer a0", "Bearer a1"]
    assert len(set(gateway.told("idempotency-key"))) == 1


async def test_a_caller_who_is_not_admitted_with_a_new_token_is_told_so() -> None:
    gateway = Gateway(refused(401, 16, "UNAUTHENTICATED"))
    lyceum = await gateway.joined()
    with pytest.raises(Unauthenticated):
        await lyceum.catalog.publish_content(TEXT)
    assert len(gateway.sent) == 2


async def test_without_a_session_only_open_calls_are_made() -> None:
    gateway = Gateway(ok({"contents": []}))
    await gateway.stranger().catalog.list_contents()
    with pytest.raises(NotLoggedIn):
        await gateway.stranger().billing.list_orders()
    assert gateway.told("authorization") == [None]


async def test_a_read_waits_for_what_the_session_wrote_until_it_has_it() -> None:
    gateway = Gateway(
        ok(PUBLISHED, x_lyceum_token="catalog.AAA"),
        ok({"contents": []}, x_lyceum_stale="true"),
        ok({"contents": []}, x_lyceum_stale="false"),
        ok({"contents": []}),
    )
    lyceum = await gateway.joined()
    assert (await lyceum.catalog.publish_content(TEXT)).token == "catalog.AAA"
    stale = [(await lyceum.catalog.list_contents()).is_stale for _ in range(3)]
    assert stale == [True, False, False]
    assert gateway.told("x-lyceum-after") == [None, "catalog.AAA", "catalog.AAA", None]


async def test_another_reader_waits_for_itself_and_no_call_names_more_than_eight() -> None:
    gateway = Gateway(*(ok(PUBLISHED, x_lyceum_token=f"catalog.{number}") for number in range(10)), ok({}))
    lyceum = await gateway.joined()
    for _ in range(10):
        await lyceum.catalog.publish_content(TEXT)
    await lyceum.metrics.get_overview(metrics.GetOverviewRequest(), How(after=("billing.x",)))
    [after] = gateway.told("x-lyceum-after")[-1:]
    assert after is not None and after.split(",") == ["billing.x", *(f"catalog.{one}" for one in range(9, 2, -1))]


async def test_a_refusal_is_its_class_with_reason_field_and_id() -> None:
    gateway = Gateway(refused(400, 9, "ALREADY_BOUGHT", "quote", x_request_id="of-the-gateway"))
    lyceum = await gateway.joined()
    with pytest.raises(FailedPrecondition) as refusal:
        await lyceum.billing.place_order(billing.PlaceOrderRequest())
    assert (refusal.value.reason, refusal.value.field) == ("ALREADY_BOUGHT", "quote")
    assert refusal.value.request_id == "of-the-gateway"


async def test_what_stands_before_the_gateway_is_understood_too() -> None:
    gateway = Gateway(httpx.Response(503, text="<html>"))
    with pytest.raises(Unavailable):
        await gateway.stranger().catalog.list_contents()
    with pytest.raises(BadAnswer):
        await Gateway(httpx.Response(200, text="<html>")).stranger().catalog.list_contents()


async def test_fields_go_where_the_contract_says() -> None:
    gateway = Gateway(ok({}))
    lyceum = await gateway.joined()
    like = catalog.Interaction(kind="view", watched_ms=3)
    await lyceum.catalog.record_interaction(catalog.RecordInteractionRequest(content_id="a/b", interaction=like))
    as_of = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    await lyceum.metrics.get_revenue(metrics.GetRevenueRequest(as_of=as_of))
    posted, asked = gateway.sent
    assert posted.url.raw_path == b"/v1/contents/a%2Fb/interactions"
    assert json.loads(posted.content) == {"kind": "view", "watched_ms": "3"}
    assert asked.url.params["as_of"] == "2026-01-02T03:04:05.000006Z"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda one: one.billing.get_order(billing.GetOrderRequest()), "order_id"),
        (lambda one: one.metrics.get_revenue(metrics.GetRevenueRequest(as_of=datetime(2026, 1, 1))), "as_of"),  # noqa: DTZ001
    ],
)
async def test_what_cannot_be_meant_is_not_sent(make: Callable[[Lyceum], Any], field: str) -> None:
    gateway = Gateway(ok({}))
    lyceum = await gateway.joined()
    with pytest.raises(BadRequest) as refusal:
        await make(lyceum)
    assert refusal.value.field == field and gateway.sent == []


async def test_pages_follow_each_other_and_one_that_follows_itself_ends_it() -> None:
    def page(name: str, following: str) -> httpx.Response:
        return ok({"orders": [{"order_id": name}], "next_page_token": following})

    lyceum = await Gateway(page("1", "t1"), page("2", "")).joined()
    assert [one.order_id async for one in lyceum.billing.iter_orders()] == ["1", "2"]
    lyceum = await Gateway(page("1", "t1")).joined()
    with pytest.raises(BadAnswer):
        [one async for one in lyceum.billing.iter_orders()]


def test_a_message_keeps_what_it_does_not_know_and_tells_zero_from_nothing() -> None:
    told = {"amount_minor": "0", "currency": "CNY", "minted": {"in": 2030}}
    assert common.Money.from_json(told).to_json() == told
    assert common.Money(currency="CNY").to_json() == {"currency": "CNY"}
    assert identity.LogInResponse.from_json({"expires_in_s": 900, "role": None}).expires_in_s == 900


@pytest.mark.parametrize(
    "said", [{"amount_minor": 1.5}, {"amount_minor": True}, {"currency": 3}, {"amount_minor": "x"}]
)
def test_a_field_of_another_type_is_no_answer(said: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        common.Money.from_json(said)


def events(*messages: Any) -> httpx.Response:
    """A stream that says these and ends."""
    text = "".join(f"data: {json.dumps(one)}\n\n" for one in messages)
    return httpx.Response(200, content=text.encode(), headers={"content-type": "text/event-stream"})


async def test_a_stream_gives_its_messages_and_ends_where_the_platform_ends_it() -> None:
    at = Gateway(refused(503, 14, "STOPPING"), events({"alive": True}, {"notification": {"kind": "order_paid"}}))
    request = notifications.WatchNotificationsRequest(after="n1")
    told = [one async for one in (await at.joined()).notifications.watch_notifications(request)]
    assert [one.alive for one in told] == [True, False]
    assert told[1].notification and told[1].notification.kind == "order_paid"
    assert at.told("grpc-timeout") == [None, None], "it would end an open stream"
    assert at.sent[1].url.params["after"] == "n1"


async def test_a_stream_that_is_refused_or_makes_no_sense_says_so() -> None:
    request = notifications.WatchNotificationsRequest()
    limited = await Gateway(refused(429, 8, "TOO_MANY_STREAMS", retry_after="60")).joined()
    with pytest.raises(ResourceExhausted):
        await anext(limited.notifications.watch_notifications(request))
    garbled = await Gateway(httpx.Response(200, content=b"data: <html>\n\n")).joined()
    with pytest.raises(BadAnswer):
        await anext(garbled.notifications.watch_notifications(request))


class Broken(httpx.AsyncByteStream):
    """A connection that is lost after the first message."""

    async def __aiter__(self) -> Any:
        yield b'data: {"alive": true}\n\n'
        raise httpx.ReadError("reset")


async def test_a_stream_whose_connection_is_lost_ends_with_no_answer() -> None:
    class Breaking(Gateway):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            found = await super().__call__(request)
            return found if "sessions" in request.url.path else httpx.Response(200, stream=Broken())

    stream = (await Breaking(ok({})).joined()).notifications.watch_notifications(
        notifications.WatchNotificationsRequest()
    )
    assert (await anext(stream)).alive
    with pytest.raises(NoAnswer):
        await anext(stream)

"""The session with the gateway: tokens, retries, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from fake_gateway import LOG_IN, over

from lyceum_cli.errors import BadAnswer, NotLoggedIn, Refused, Unavailable
from lyceum_cli.gateway import MAX_ATTEMPTS, Gateway

Reply = Callable[[httpx.Request], httpx.Response]


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def with_sessions(reply: Reply) -> Reply:
    """Logs anybody in with token a0; each refresh gives a1, a2, …"""
    refreshed = iter(range(1, 100))

    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/sessions":
            return httpx.Response(200, json=LOG_IN)
        if request.url.path == "/v1/sessions:refresh":
            number = next(refreshed)
            return httpx.Response(200, json={**LOG_IN, "access_token": f"a{number}", "refresh_token": f"r{number}"})
        return reply(request)

    return answered


async def logged_in(reply: Reply, clock: Clock | None = None) -> Gateway:
    gateway = over(with_sessions(reply), clock or Clock())
    await gateway.log_in("somebody", "secret")
    return gateway


async def test_given_a_session_when_asking_then_the_token_goes_along_and_freshness_comes_back() -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer a0"
        assert request.headers["x-lyceum-after"] == "t1,t2"
        return httpx.Response(200, json={"x": 1}, headers={"x-lyceum-stale": "true"})

    answer = await (await logged_in(reply)).get("/v1/popular", {"limit": 1}, after=["t1", "t2"])
    assert (answer.body, answer.stale) == ({"x": 1}, True)


async def test_given_no_session_when_commanding_then_it_is_refused_here() -> None:
    with pytest.raises(NotLoggedIn):
        await over(lambda request: httpx.Response(200, json={})).post("/v1/orders", {})


@pytest.mark.parametrize("failure", [429, 502, 503, 504, httpx.ConnectError("no"), httpx.ReadTimeout("no")])
async def test_given_a_passing_failure_when_calling_then_it_is_tried_again(failure: int | Exception) -> None:
    seen: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["idempotency-key"])
        if len(seen) < 3 and isinstance(failure, Exception):
            raise failure
        return httpx.Response(200 if len(seen) == 3 else failure if isinstance(failure, int) else 200, json={})

    await (await logged_in(reply)).post("/v1/orders", {"a": 1}, idempotency_key="k")
    assert seen == ["k", "k", "k"]


async def test_given_a_lost_race_when_commanding_then_it_is_tried_again_but_a_conflict_is_not() -> None:
    answers = iter([httpx.Response(409, json={"code": 10}), httpx.Response(409, json={"code": 6, "message": "taken"})])
    gateway = await logged_in(lambda request: next(answers))
    with pytest.raises(Refused, match="taken") as refusal:
        await gateway.post("/register", {})
    assert (refusal.value.status, refusal.value.code) == (409, 6)


async def test_given_a_gateway_that_stays_away_when_calling_then_it_gives_up_after_a_bounded_number() -> None:
    seen: list[int] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(1)
        return httpx.Response(503)

    gateway = await logged_in(reply)
    with pytest.raises(Unavailable, match="status 503"):
        await gateway.get("/v1/popular")
    assert len(seen) == MAX_ATTEMPTS


async def test_given_a_token_near_its_end_when_calling_then_it_is_renewed_first() -> None:
    clock, used = Clock(), []

    def reply(request: httpx.Request) -> httpx.Response:
        used.append(request.headers["authorization"])
        return httpx.Response(200, json={})

    gateway = await logged_in(reply, clock)
    await gateway.get("/v1/popular")
    clock.now_s = 541.0
    await gateway.get("/v1/popular")
    await gateway.get("/v1/popular")
    assert used == ["Bearer a0", "Bearer a1", "Bearer a1"]


async def test_given_a_token_that_is_refused_when_calling_then_it_is_renewed_once_and_the_second_refusal_stands() -> (
    None
):
    used: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        used.append(request.headers["authorization"])
        return httpx.Response(401, json={"code": 16, "message": "a valid access token is needed"})

    with pytest.raises(Refused, match="access token"):
        await (await logged_in(reply)).get("/v1/popular")
    assert used == ["Bearer a0", "Bearer a1"]


async def test_given_an_ended_session_when_renewing_then_another_one_is_begun() -> None:
    log_ins: list[bytes] = []

    def reply(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/sessions":
            log_ins.append(request.content)
            return httpx.Response(200, json={**LOG_IN, "access_token": f"a{len(log_ins)}"})
        if request.url.path == "/v1/sessions:refresh":
            return httpx.Response(401, json={"code": 16, "message": "ended"})
        good = request.headers["authorization"] == "Bearer a2"
        return httpx.Response(200 if good else 401, json={})

    gateway = over(reply)
    await gateway.log_in("somebody", "secret")
    await gateway.get("/v1/popular")
    assert [json.loads(one) for one in log_ins] == [{"username": "somebody", "password": "secret"}] * 2


async def test_given_a_refusal_with_details_when_calling_then_field_and_reason_are_told_and_no_secret() -> None:
    details = [{"reason": "INVALID_INPUT", "metadata": {"field": "password"}}]
    gateway = over(lambda request: httpx.Response(400, json={"code": 3, "message": "too short", "details": details}))
    with pytest.raises(Refused) as refusal:
        await gateway.log_in("somebody", "hunter2")
    assert (refusal.value.field, refusal.value.reason) == ("password", "INVALID_INPUT")
    assert "hunter2" not in str(refusal.value)


async def test_given_an_answer_that_is_no_json_when_calling_then_that_is_said() -> None:
    with pytest.raises(BadAnswer):
        await (await logged_in(lambda request: httpx.Response(200, text="<html>"))).get("/v1/popular")


async def test_given_a_form_when_posting_then_it_is_sent_as_one() -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert request.content == b"username=a&role=creator"
        return httpx.Response(200, json={"message": "User registered successfully."})

    await over(reply).post("/register", {"username": "a", "role": "creator"}, anonymous=True, form=True)

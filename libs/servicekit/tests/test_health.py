"""What a process says on its health port: ready or not, alive or not, and what it refuses to be asked."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from eventfold import telemetry
from servicekit import health
from servicekit.health import Health, serve_health
from servicekit.probe import complaint

Status = health_pb2.HealthCheckResponse


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Beating:
    """A health whose event loop answers when the test says so."""

    def __init__(self, *, serves_calls: bool = False) -> None:
        self.clock = Clock()
        self.health = Health(serves_calls=serves_calls, clock=self.clock)

    def beat(self) -> None:
        self.health._beat = self.clock()

    def later(self, seconds: float) -> Health:
        self.clock.now_s += seconds
        return self.health


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Asked:
    """A process with a health port."""

    def __init__(self, told: Health) -> None:
        self.told, self.port = told, free_port()
        self.server = serve_health("127.0.0.1", self.port, told)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub: Any = health_pb2_grpc.HealthStub(self.channel)

    def says(self, service: str) -> str:
        answer = self.stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=2)
        return str(Status.ServingStatus.Name(answer.status))

    def says_later(self, service: str, seconds: float) -> str:
        time.sleep(seconds)
        return self.says(service)

    def refuses(self, service: str) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as refused:
            self.says(service)
        code: grpc.StatusCode = refused.value.code()
        return code


@pytest.fixture(autouse=True)
def nothing_said_before() -> None:
    """Metrics are the process's, and other tests of it may have said that a worker does not read."""
    telemetry.FOLD_READY.clear()
    telemetry.RELAY_REWOUND.clear()


@pytest.fixture
def beating() -> Beating:
    return Beating()


@pytest.fixture
def asked(beating: Beating) -> Iterator[Asked]:
    beating.beat()
    one = Asked(beating.health)
    yield one
    one.channel.close()
    one.server.stop(grace=None).wait()


def test_a_process_that_is_well_serves_both_names(asked: Asked) -> None:
    assert (asked.says(""), asked.says("live")) == ("SERVING", "SERVING")


@pytest.mark.parametrize("name", ["ready", "Live", "lyceum.identity.v1.IdentityService"])
def test_other_names_are_not_found(asked: Asked, name: str) -> None:
    assert asked.refuses(name) is grpc.StatusCode.NOT_FOUND


def test_nothing_else_is_served_there(asked: Asked) -> None:
    with pytest.raises(grpc.RpcError) as watching:
        next(asked.stub.Watch(health_pb2.HealthCheckRequest(), timeout=2))
    assert watching.value.code() is grpc.StatusCode.UNIMPLEMENTED
    other = asked.channel.unary_unary("/lyceum.identity.v1.IdentityService/Register", lambda x: x, lambda x: x)
    with pytest.raises(grpc.RpcError) as calling:
        other(b"", timeout=2)
    assert calling.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_port_that_is_taken_is_refused(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match=str(asked.port)):
        serve_health("127.0.0.1", asked.port, asked.told)


def test_the_probe_asks_the_health_port_before_all_others(asked: Asked, beating: Beating) -> None:
    environment = {"HEALTH_PORT": str(asked.port), "GRPC_PORT": "1", "METRICS_PORT": "1", "TLS_DIR": "/nowhere"}
    assert complaint(environment) is None
    beating.later(health.READY_WITHIN_S + 1)
    assert complaint(environment) == "gRPC health says NOT_SERVING"


def test_a_process_that_starts_is_not_ready_and_is_given_time(beating: Beating) -> None:
    assert beating.later(health.STARTS_WITHIN_S - 1).unlive() is None
    assert beating.health.unready() == "the event loop does not answer"
    assert beating.later(2).unlive() == "the process has been starting for 301 s"
    beating.beat()
    assert beating.health.unlive() is None and beating.health.unready() is None


def test_an_event_loop_that_is_silent_is_first_not_ready_and_then_not_alive(beating: Beating) -> None:
    beating.beat()
    silent = beating.later(health.READY_WITHIN_S + 1)
    assert silent.unready() and silent.unlive() is None
    assert beating.later(health.ANSWERS_WITHIN_S).unlive() == "the event loop has not answered for 66 s"


def test_a_halted_worker_leaves_by_itself_before_anybody_ends_it() -> None:
    """Its page is kept by the main thread, which does not answer meanwhile."""
    from servicekit.runtime import HALT_SHOWN_S

    assert HALT_SHOWN_S + health.READY_WITHIN_S < health.ANSWERS_WITHIN_S


def test_a_server_is_ready_while_it_takes_calls_and_lives_while_it_drains() -> None:
    server = Beating(serves_calls=True)
    server.beat()
    assert server.health.unready() == "the server takes no calls"
    server.health.serving(True)
    assert server.health.unready() is None
    server.health.serving(False)
    assert server.health.unready() and server.health.unlive() is None


def test_what_is_stuck_is_not_alive_until_it_moves(beating: Beating, caplog: pytest.LogCaptureFixture) -> None:
    stuck = [0.0]
    beating.health.watch("records wait, and the folds do not move", lambda: stuck[0], within_s=300)
    beating.beat()
    one = Asked(beating.health)
    for stuck[0], said in ((300.0, "SERVING"), (301.0, "NOT_SERVING"), (302.0, "NOT_SERVING"), (0.0, "SERVING")):
        assert one.says("live") == said and one.says("") == "SERVING"
    one.server.stop(grace=None).wait()
    assert [record.getMessage() for record in caplog.records if "live" in record.getMessage()][:1] == [
        "not live: records wait, and the folds do not move for 301 s"
    ]


def test_a_worker_that_does_not_read_is_not_ready_and_lives(beating: Beating) -> None:
    beating.beat()
    telemetry.FOLD_READY.labels("health-test").set(0)
    try:
        assert beating.health.unready() == "the worker reads no events" and beating.health.unlive() is None
        telemetry.FOLD_READY.labels("health-test").set(1)
        assert beating.health.unready() is None
    finally:
        telemetry.FOLD_READY.remove("health-test")


def test_a_rewound_relay_is_not_ready_and_lives(beating: Beating) -> None:
    beating.beat()
    telemetry.RELAY_REWOUND.labels("health-test").set(1)
    try:
        assert beating.health.unready() == "the relay sends nothing: run `recover`" and beating.health.unlive() is None
    finally:
        telemetry.RELAY_REWOUND.remove("health-test")


async def test_it_answers_while_the_event_loop_stands_still_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a loop that answers, when something blocks it, then the port answers on, and tells it from a loop that
    runs."""
    monkeypatch.setattr(health, "ANSWERS_WITHIN_S", 0.4)
    monkeypatch.setattr(health, "BEAT_EVERY_S", 0.05)
    told = Health()
    told.beat_on(asyncio.get_running_loop())
    one = Asked(told)
    with ThreadPoolExecutor(1) as other:
        assert await asyncio.wrap_future(other.submit(one.says, "live")) == "SERVING"
        stuck = other.submit(one.says_later, "live", 0.8)
        time.sleep(1.5)  # noqa: ASYNC251 - it is the block
        assert stuck.result() == "NOT_SERVING"
        await asyncio.sleep(0.1)
        assert await asyncio.wrap_future(other.submit(one.says, "live")) == "SERVING"
    one.server.stop(grace=None).wait()

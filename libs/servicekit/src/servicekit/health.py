"""What this process says of itself to its orchestrator: plaintext grpc.health.v1 on `HEALTH_PORT`, and nothing else.

Kubernetes' own `grpc:` probes speak no TLS, and only servers have another gRPC port. So every role of every service
answers here, from threads of its own: a main loop that stands still cannot keep it from saying so.

The service "" is readiness. NOT_SERVING: send no calls, count it as not available. Nobody should end it for that.
- a server: it does not serve yet, it drains, or its own relay is rewound;
- a fold worker: it has not joined its group, its partitions change hands, or it has halted;
- a relay: its store is behind its topics (`recover`);
- all of them: the event loop has not answered for `READY_WITHIN_S`.

The service "live" is liveness, by progress. NOT_SERVING: end the process, only a new one can help.
- the event loop has not answered for `ANSWERS_WITHIN_S`, or the process has not come to it within `STARTS_WITHIN_S`;
- a fold worker: records wait, and the position that they wait for has not moved for `MOVES_WITHIN_S`;
- a relay: it has neither renewed its lease nor tried to lead for `TURNS_WITHIN_S`.

What waits on purpose is live, because a new process would wait in the same way: a rewound relay, a relay that does not
hold the lease, whatever retries while the database or Kafka is away, a group of folds that stands still, a server that
drains. A halted worker shows its page for less than `ANSWERS_WITHIN_S`, and then leaves by itself.

Other service names answer NOT_FOUND. `Watch` is UNIMPLEMENTED, as the protocol allows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import Gauge

from eventfold import telemetry
from servicekit.addresses import address

log = logging.getLogger(__name__)

READINESS, LIVENESS = "", "live"
BEAT_EVERY_S = 1.0
READY_WITHIN_S = 5.0
ANSWERS_WITHIN_S = 60.0
STARTS_WITHIN_S = 300.0
MOVES_WITHIN_S = 300.0
"""Longer than a fetch is tried again (60 s), and longer than an operator's rebuild may hold a fold's turns (60 s)."""
TURNS_WITHIN_S = 120.0
"""Longer than everything that a relay waits for at the begin and at the end of a term."""
THREADS = 2
CALLS_AT_ONCE = 16

Complaint = Callable[[], str | None]


class Health:
    """The state of a process, as its parts report it. Written by the event loop, read from threads.

    `asks` are further conditions of liveness, by what `watch` adds. Without `serves_calls`, readiness does not wait for
    `serving`.
    """

    def __init__(self, *, serves_calls: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._beat: float | None = None
        self._serving = not serves_calls
        self._watched: list[Complaint] = []
        self.server: grpc.Server | None = None
        """Kept here: gRPC ends a server that nobody refers to."""

    def beat_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """From when `loop` runs on, note every `BEAT_EVERY_S` that it answers."""
        loop.call_soon(self._beats, loop)

    def serving(self, serves: bool) -> None:
        """The server takes calls, or does not take them any more."""
        self._serving = serves

    def watch(self, what: str, stuck_s: Callable[[], float], within_s: float) -> None:
        """Not live while `stuck_s()` is above `within_s`. It is called from other threads."""
        self._watched.append(lambda: f"{what} for {stuck:.0f} s" if (stuck := stuck_s()) > within_s else None)

    def unready(self) -> str | None:
        """Why no calls should be sent; None if it is ready."""
        if self._beat is None or self._clock() - self._beat > READY_WITHIN_S:
            return "the event loop does not answer"
        if not self._serving:
            return "the server takes no calls"
        return _not_reading() or _rewound()

    def unlive(self) -> str | None:
        """Why only a new process can help; None if this one lives."""
        if self._beat is None:
            late_s = self._clock() - self._began
            return f"the process has been starting for {late_s:.0f} s" if late_s > STARTS_WITHIN_S else None
        silent_s = self._clock() - self._beat
        if silent_s > ANSWERS_WITHIN_S:
            return f"the event loop has not answered for {silent_s:.0f} s"
        return next((said for one in self._watched if (said := one())), None)

    def _beats(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beat = self._clock()
        loop.call_later(BEAT_EVERY_S, self._beats, loop)


def _not_reading() -> str | None:
    return "the worker reads no events" if 0.0 in _values(telemetry.FOLD_READY) else None


def _rewound() -> str | None:
    return "the relay sends nothing: run `recover`" if 1.0 in _values(telemetry.RELAY_REWOUND) else None


def _values(gauge: Gauge) -> list[float]:
    return [sample.value for metric in gauge.collect() for sample in metric.samples]


class _Servicer(health_pb2_grpc.HealthServicer):
    def __init__(self, health: Health) -> None:
        self._ask: dict[str, Complaint] = {READINESS: health.unready, LIVENESS: health.unlive}
        self._told: str | None = None

    def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:
        """As the protocol says."""
        if request.service not in self._ask:
            context.abort(grpc.StatusCode.NOT_FOUND, 'the services are "" (ready) and "live"')
        complaint = self._ask[request.service]()
        if request.service == LIVENESS and complaint != self._told:
            self._tell(complaint)
        status = health_pb2.HealthCheckResponse
        return status(status=status.NOT_SERVING if complaint else status.SERVING)

    def _tell(self, complaint: str | None) -> None:
        """Log it before the orchestrator ends the process: afterwards nobody can be asked."""
        if self._told is None or complaint is None:
            log.log(logging.CRITICAL if complaint else logging.WARNING, "not live: %s", complaint or "live again")
        self._told = complaint


def serve_health(host: str, port: int, health: Health) -> grpc.Server:
    """A started server that answers for as long as `health` is there. Raises RuntimeError if the port is taken."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="health")
    options = [("grpc.so_reuseport", 0)]  # a second process on the port is a mistake, and must not share it
    server = grpc.server(pool, options=options, maximum_concurrent_rpcs=CALLS_AT_ONCE)
    health_pb2_grpc.add_HealthServicer_to_server(_Servicer(health), server)
    server.add_insecure_port(address(host, port))
    server.start()
    health.server = server
    return server

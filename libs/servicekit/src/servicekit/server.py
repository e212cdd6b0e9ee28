"""The gRPC server of a service: edge, health, consistency, drain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from contracts.emitters import EMITTERS
from eventfold.certificates import Pem, Renewed
from eventfold.errors import HistoryRewound, HistoryRewritten, InvalidInput, PeerUnavailable
from eventfold.publish.outgoing import Target
from eventfold.reading import consistency
from eventfold.reading.consistency import Token
from lyceum.consistency.v1 import consistency_pb2, consistency_pb2_grpc
from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from servicekit.call import current_call, present_call
from servicekit.caller import FetchKeys, TokenVerifier
from servicekit.closing import Closing
from servicekit.definition import Wiring
from servicekit.edge import Edge
from servicekit.limits import MemberCeiling
from servicekit.peers import own_channel, peer_channel
from servicekit.policy import NoPolicy, rpcs_of
from servicekit.reading import ReadGate, Resolve

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_HEADERS_BYTES = 16 * 1024
"""More than the gateway lets pass. Above its own limit of 8 KiB gRPC refuses by chance, and lists the headers."""
LIMITS = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.max_metadata_size", MAX_HEADERS_BYTES)]
PEER_TIMEOUT_S = 2.0
DRAIN_S = 6.0
REFUSE_S = 0.5
"""How long the server still refuses calls after draining, while its connections are told to end."""
OPEN_POOL_S = 30.0
TELL_EVERY_S = 0.5


class ConsistencyServicer(consistency_pb2_grpc.ConsistencyServiceServicer):
    """Tells other services the targets on Kafka of this service's tokens."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def Resolve(self, request: Any, context: Any) -> consistency_pb2.ResolveResponse:
        call = current_call()
        token = call.token(request.token)
        if token.service != call.service:
            raise InvalidInput("the token is of another service", field="token")
        targets = await self._resolve(token)
        if targets is None:
            return consistency_pb2.ResolveResponse(pending=True)
        found = [
            consistency_pb2.Target(topic=target.topic, partition=target.partition, sequence=target.seq)
            for target in targets
        ]
        return consistency_pb2.ResolveResponse(targets=found)


def local_resolver(wiring: Wiring) -> Resolve:
    """Resolves this service's own tokens: from memory if the relay runs here, else from the store."""

    async def resolve(token: Token) -> tuple[Target, ...] | None:
        known_here = wiring.history.is_present(token) and not token.covers_all
        found = await wiring.sequenced.soon(token.position) if known_here else None
        if found is not None:
            return found
        async with wiring.queries.connection() as conn:
            await wiring.history.check(conn, token)
            return await consistency.resolve(conn, wiring.store, wiring.publisher, wiring.definition.relay_name, token)

    return resolve


def remote_resolver(channel: grpc.aio.Channel) -> Resolve:
    """Resolves another service's tokens by asking that service, within the time of the caller."""
    stub = consistency_pb2_grpc.ConsistencyServiceStub(channel)

    async def resolve(token: Token) -> tuple[Target, ...] | None:
        call = present_call()
        timeout_s = min(PEER_TIMEOUT_S, call.deadline_s) if call else PEER_TIMEOUT_S
        try:
            answer = await stub.Resolve(consistency_pb2.ResolveRequest(token=token.text), timeout=timeout_s)
        except grpc.aio.AioRpcError as failure:
            if failure.code() is grpc.StatusCode.FAILED_PRECONDITION:
                raise HistoryRewritten(token.service, token.position) from failure
            raise
        if answer.pending:
            return None
        return tuple(Target(one.topic, one.partition, one.sequence) for one in answer.targets)

    return resolve


def _kept(target: str, channel: grpc.aio.Channel, closing: Closing) -> grpc.aio.Channel:
    closing.add(target, channel.close)
    return channel


def _to(service: str, wiring: Wiring) -> grpc.aio.Channel | None:
    """A channel to a service whose address is configured."""
    target = wiring.settings.target(service)
    return _kept(target, peer_channel(target, wiring.settings.tls), wiring.closing) if target else None


def read_gate(wiring: Wiring) -> ReadGate:
    """The gate before this service's queries. It knows tokens of every service whose address is configured."""
    own = wiring.definition.name
    resolvers: dict[str, Resolve] = {
        service: remote_resolver(channel)
        for service in EMITTERS
        if service != own and (channel := _to(service, wiring))
    }
    resolvers[own] = local_resolver(wiring)

    async def pause(token: Token, pause_s: float) -> None:
        await (wiring.sequenced.wait(token.position, pause_s) if token.service == own else asyncio.sleep(pause_s))

    return ReadGate(wiring.queries, wiring.projection_topics(), resolvers, pause)


def _remote_keys(channel: grpc.aio.Channel) -> FetchKeys:
    stub = identity_pb2_grpc.IdentityServiceStub(channel)

    async def fetch() -> Mapping[str, Any]:
        try:
            answer = await stub.GetJwks(identity_pb2.GetJwksRequest(), timeout=PEER_TIMEOUT_S, wait_for_ready=True)
        except grpc.aio.AioRpcError as failure:
            raise PeerUnavailable("identity", failure.code().name) from failure
        return MessageToDict(answer, preserving_proto_field_name=True)

    return fetch


def _edge(wiring: Wiring) -> Edge:
    settings = wiring.settings
    identity = _to("identity", wiring) or _kept(
        "identity", own_channel(settings.grpc_port, settings.grpc_host, settings.tls), wiring.closing
    )
    verifier = TokenVerifier(_remote_keys(identity), settings.jwt_issuer, settings.jwt_audience)
    return Edge(
        wiring.definition.name,
        verifier,
        wiring.idempotency_secrets,
        history=wiring.history.mark,
        wake_relay=wiring.wake_relay,
        ceiling=MemberCeiling(settings.member_calls_per_s),
    )


def listen(server: grpc.aio.Server, address: str, tls: Renewed | None) -> int:
    """Let the server accept connections at `address`; returns the port. With `tls`, only clients with a certificate
    signed by its `ca.crt` get in, and each new connection is met with the files as they are then."""
    if tls is None:
        return server.add_insecure_port(address)
    known = tls.pem

    def presented(pem: Pem) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], pem.authority)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """Called for each handshake, by a thread of gRPC. None: as before."""
        nonlocal known
        if (pem := tls.pem) is known:
            return None
        known = pem
        return presented(pem)

    return server.add_secure_port(
        address,
        grpc.dynamic_ssl_server_credentials(
            presented(known),
            renewed,  # type: ignore[arg-type] # its stubs do not know that None is an answer
            require_client_authentication=True,
        ),
    )


Tell = Callable[[bool], None]
"""Is told whether the server takes calls."""


def _nobody(_: bool) -> None:
    """Is told, and keeps it to itself."""


async def _telling(
    healthy: Any, names: Sequence[str], rewound: Callable[[], HistoryRewound | None], tell: Tell
) -> None:
    """Report "not ready" while this process's relay sends nothing because the store is behind its topics: events
    recorded meanwhile would not become visible. Calls are answered all the same, and their events become visible once
    `recover` was run."""
    while True:
        status = health_pb2.HealthCheckResponse.NOT_SERVING if rewound() else health_pb2.HealthCheckResponse.SERVING
        for name in names:
            await healthy.set(name, status)
        tell(status is health_pb2.HealthCheckResponse.SERVING)
        await asyncio.sleep(TELL_EVERY_S)


def _never() -> None:
    return None


@contextlib.asynccontextmanager
async def serving(
    wiring: Wiring, rewound: Callable[[], HistoryRewound | None] = _never, tell: Tell = _nobody
) -> AsyncIterator[grpc.aio.Server]:
    """A started server that reports itself healthy, unless its store is `rewound`. On leaving, it reports that it is
    not ready, serves on for `drain_notice_s`, finishes the calls in flight (at most `DRAIN_S`), refuses the rest with
    UNAVAILABLE, and stops. `tell` is told the same."""
    settings = wiring.settings
    for pool in (wiring.pool, wiring.queries):
        await pool.wait(timeout=OPEN_POOL_S)
    edge = _edge(wiring)
    server = grpc.aio.server(interceptors=[edge], options=LIMITS)
    names = list(await wiring.definition.register(wiring, server))
    for name in names:
        if missing := rpcs_of(name) ^ wiring.definition.policies.get(name, {}).keys():
            raise NoPolicy(name, sorted(missing))
    consistency_pb2_grpc.add_ConsistencyServiceServicer_to_server(ConsistencyServicer(local_resolver(wiring)), server)
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    if settings.is_local:
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    port = listen(server, f"{settings.grpc_host}:{settings.grpc_port}", settings.tls)
    await server.start()
    telling = asyncio.create_task(_telling(healthy, ["", *names], rewound, tell))
    log.info("serving", extra={"port": port})
    try:
        yield server
    finally:
        telling.cancel()
        tell(False)
        await healthy.enter_graceful_shutdown()
        log.info("not ready any more", extra={"stops_after_s": settings.drain_notice_s})
        await asyncio.sleep(settings.drain_notice_s)
        edge.streams.end()
        await edge.in_flight.drain(DRAIN_S)
        await server.stop(REFUSE_S)

"""`python -m <service> prepare|serve|work|relay|…`: runs every service from its definition."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import uvloop
from prometheus_client import Gauge, start_http_server

from contracts.registry import avro_codec
from eventfold import Pool, telemetry
from eventfold.errors import BuiltUnderOther, CertificateUnusable, HistoryRewound
from eventfold.fold import halting
from eventfold.fold.garbage import collect_less
from eventfold.fold.progress import Progress
from eventfold.fold.runner import FoldRunner
from eventfold.fold.worker import Member, fold_app, run
from eventfold.publish.publisher import Publisher
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.topics import check_topics, on_record, prepare_topics
from eventfold.publish.witness import tails_of
from eventfold.write.idempotency import sweep_idempotency
from servicekit import database, parked
from servicekit.background import Work, beside
from servicekit.built_under import keep_settings
from servicekit.definition import ServiceDefinition, wire
from servicekit.health import MOVES_WITHIN_S, TURNS_WITHIN_S, Health, serve_health
from servicekit.key_commands import key_commands
from servicekit.leading import holder
from servicekit.logs import configure_logs, version
from servicekit.operating import group_of, groups_of
from servicekit.schema_version import SchemaBehind, check_version
from servicekit.server import serving
from servicekit.settings import (
    POOL_CONNECTIONS_COMMANDS,
    POOL_CONNECTIONS_FURTHER,
    POOL_CONNECTIONS_QUERIES,
    POOL_CONNECTIONS_WORKER,
    ServiceSettings,
)
from servicekit.traces import start_tracing

log = logging.getLogger(__name__)

Role = Callable[[ServiceDefinition, Any], None]

BUILD = Gauge("lyceum_build", "1, by the version that runs, its service and its role.", ["version", "service", "role"])
HALT_SHOWN_S = 20.0
"""How long the page of a halted worker stays: longer than the interval of metrics collection (15 s)."""
REFUSED = 78
"""Exit status of a process that does not fit its database, or has no usable certificate (sysexits' EX_CONFIG). The log
names the reason."""
SWEEP_ROWS, SWEEP_PAUSE_S, SWEEP_EVERY_S = 5000, 1.0, 3600.0


def main(definition: ServiceDefinition, arguments: Sequence[str] | None = None) -> None:
    """Run one role of a service. Does not return before the role has ended."""
    roles: Mapping[str, Role] = {
        "prepare": prepare,
        "serve": serve,
        "work": work,
        "relay": relay,
        **{name: partial(further, name) for name in definition.further},
    }
    parser = argparse.ArgumentParser(prog=definition.name, description=f"The {definition.name} service.")
    meaning = "prepare: migrate and create topics; serve: gRPC; work: folds; relay: outbox to Kafka; keys: replace keys"
    if definition.further:
        meaning += f"; of this service alone: {', '.join(sorted(definition.further))}"
    commands = {"keys": key_commands, **definition.commands}
    parser.add_argument("role", choices=sorted({*roles, *commands}), help=meaning)
    parsed, rest = parser.parse_known_args(arguments)
    settings = definition.settings()
    configure_logs(definition.name, parsed.role)
    uvloop.install()  # the same calls need a tenth less of a core in a server, and a sixteenth less in a fold worker
    if parsed.role in commands:
        commands[parsed.role](definition, settings, rest)
    elif rest:
        parser.error(f"unrecognised arguments: {' '.join(rest)}")
    else:
        run_role(roles[parsed.role], definition, settings)


def run_role(role: Role, definition: ServiceDefinition, settings: ServiceSettings) -> None:
    """Run a role. Leaves with `REFUSED` and one line in the log if this process does not fit its database, or if its
    certificates cannot be used."""
    try:
        settings.check_certificates()
        role(definition, settings)
    except (SchemaBehind, BuiltUnderOther, CertificateUnusable) as refused:
        log.critical("%s: %s", type(refused).__name__, refused)
        sys.exit(REFUSED)


def prepare(definition: ServiceDefinition, settings: ServiceSettings) -> None:
    """Migrate the database, record the settings that read tables depend on, and create the topics that the service
    emits on and reads.

    Raises `BuiltUnderOther` if read tables were built under other settings, and `TopicMisconfigured` for a topic that
    is not on Kafka although the database knows a history of it.
    """
    from servicekit.migrate import migrate

    migrate(settings.database_url, definition.migrations)
    keep_settings(settings.database_url, definition)
    read = {topic for group in definition.groups for handler in group.handlers for topic in handler.topics}
    topics = [settings.topic_prefix + topic for topic in sorted({*definition.topics, *read})]
    asyncio.run(_prepare_topics(settings, topics))
    log.info("prepared", extra={"topics": len(topics)})


async def _prepare_topics(settings: ServiceSettings, topics: Sequence[str]) -> None:
    async with await database.connect(settings.database_url) as conn:
        known = await on_record(conn)
    await prepare_topics(
        settings.brokers,
        topics,
        partitions=settings.topic_partitions,
        replication=settings.topic_replication,
        on_record=known,
    )


def make_relay(definition: ServiceDefinition, settings: ServiceSettings) -> Relay:
    """The relay of a service, not yet running."""
    return Relay(
        name=definition.relay_name,
        holder=holder(),
        connect=lambda: database.connect(settings.database_url),
        producers=lambda: Producer(settings.brokers, f"{definition.name}-relay"),
        tails=tails_of(settings.brokers),
        publisher=Publisher(
            definition.source, definition.to_public, avro_codec(settings.schema_registry_url), settings.topic_prefix
        ),
        codec=definition.codec,
        topics=[settings.topic_prefix + topic for topic in definition.topics],
        examine=partial(check_topics, settings.brokers),
    )


def relay(definition: ServiceDefinition, settings: ServiceSettings) -> None:
    """Run only the relay."""
    health = Health()
    _start(definition, settings, "relay", health)
    collect_less()
    made = make_relay(definition, settings)
    _watch_relay(health, made)
    asyncio.run(_beside({"relay": made.run}, health))


def _watch_relay(health: Health, relay: Relay) -> None:
    health.watch("the relay has neither led nor tried to", relay.stuck_s, TURNS_WITHIN_S)


def further(role: str, definition: ServiceDefinition, settings: ServiceSettings) -> None:
    """Run only the tasks of one of the service's further roles, until SIGTERM or SIGINT, with pools of its own.

    It serves no gRPC. Like a relay, it is ready when its metrics page answers: its database is then of this build's
    version. A passing failure starts a task again; any other failure, or a task that returns, ends the process. A stop
    cancels the tasks: each must come back to the event loop, and end the threads that it waits for, within
    `servicekit.background.STOP_S`, because Python leaves neither behind. Long computations go in short steps.
    """
    health = Health()
    _start(definition, settings, role, health)
    collect_less()
    asyncio.run(_further(role, definition, settings, health))


async def _further(role: str, definition: ServiceDefinition, settings: ServiceSettings, health: Health) -> None:
    async with (
        database.command_pool(settings.database_url, POOL_CONNECTIONS_FURTHER) as pool,
        database.query_pool(settings.database_url, POOL_CONNECTIONS_FURTHER) as queries,
    ):
        wiring = wire(definition, settings, pool, lambda: None, queries)
        async with contextlib.aclosing(wiring.closing):
            works = definition.further[role](wiring)
            log.info("runs", extra={"works": sorted(works)})
            await _beside(works, health)


def serve(definition: ServiceDefinition, settings: ServiceSettings) -> None:
    """Run the gRPC server, with the relay inside if `RELAY_INLINE` is set."""
    health = Health(serves_calls=True)
    _start(definition, settings, "serve", health)
    collect_less()
    asyncio.run(_serve(definition, settings, health))


async def _serve(definition: ServiceDefinition, settings: ServiceSettings, health: Health) -> None:
    """Serve until signalled. Resources that calls in flight need outlive these calls: background tasks, channels and
    pools."""
    stopped = _signalled()
    health.beat_on(asyncio.get_running_loop())
    inline = make_relay(definition, settings) if settings.relay_inline and definition.topics else None
    async with (
        database.command_pool(settings.database_url, POOL_CONNECTIONS_COMMANDS) as pool,
        database.query_pool(settings.database_url, POOL_CONNECTIONS_QUERIES) as queries,
    ):
        wiring = wire(definition, settings, pool, inline.wake if inline else lambda: None, queries)
        if inline:
            inline.listen(wiring.sequenced)
        works: dict[str, Work] = {
            "idempotency": partial(_sweeping, pool),
            "parked": partial(parked.watching, queries, definition),
            "history": partial(wiring.history.watch, queries),
            **definition.background(wiring),
        }
        if inline:
            works["relay"] = inline.run
            _watch_relay(health, inline)

        def rewound() -> HistoryRewound | None:
            return inline.rewound if inline else None

        async with (
            contextlib.aclosing(wiring.closing),
            beside(works) as ended,
            serving(wiring, rewound, health.serving),
        ):
            await _either(stopped, ended)


async def _sweeping(pool: Pool) -> None:
    """Delete old idempotency answers, a bounded number at a time, for as long as the server runs."""
    while True:
        async with pool.connection() as conn:
            swept = await sweep_idempotency(conn, limit_rows=SWEEP_ROWS)
        await asyncio.sleep(SWEEP_PAUSE_S if swept == SWEEP_ROWS else SWEEP_EVERY_S)


def work(definition: ServiceDefinition, settings: ServiceSettings) -> None:
    """Run the Faust worker that applies the service's projections and processes."""
    group = group_of(definition, settings)
    telemetry.FOLD_READY.labels(group).set(0)  # before the page can be read
    health, progress = Health(), Progress()
    health.watch("records wait, and the folds do not move", progress.stuck_s, MOVES_WITHIN_S)
    _start(definition, settings, "work", health)
    if settings.metrics_port:
        halting.keep_page_for(HALT_SHOWN_S)
    pool = database.make_pool(settings.database_url, POOL_CONNECTIONS_WORKER)
    wiring = wire(definition, settings, pool, lambda: None)
    runner = FoldRunner(
        worker=definition.name,
        pool=pool,
        avro=wiring.avro,
        groups=groups_of(definition, settings),
        store=wiring.store,
        topic_prefix=settings.topic_prefix,
    )
    app = fold_app(
        group=group,
        brokers=settings.brokers,
        runner=runner,
        pool=pool,
        linger_s=definition.linger_s,
        progress=progress,
        member=member_of(settings),
    )
    health.beat_on(app.loop)
    run(app)


def member_of(settings: ServiceSettings) -> Member | None:
    """The static member that a worker is; None if it has no name of its own."""
    return Member(settings.group_instance_id, settings.group_away_s) if settings.group_instance_id else None


def _start(definition: ServiceDefinition, settings: ServiceSettings, role: str, health: Health) -> None:
    check_version(settings.database_url, definition.migrations)
    if role != "relay":  # it neither folds nor reads
        keep_settings(settings.database_url, definition)
    BUILD.labels(version(), definition.name, role).set(1)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.grpc_host)
    if settings.health_port:
        serve_health(settings.grpc_host, settings.health_port, health)
    start_tracing(definition.name, role, settings.otel_exporter_otlp_endpoint)


async def _beside(works: Mapping[str, Work], health: Health) -> None:
    """Run only `works`, until signalled."""
    health.beat_on(asyncio.get_running_loop())
    stopped = _signalled()
    async with beside(works) as ended:
        await _either(stopped, ended)


def _signalled() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets, from here on."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


async def _either(stopped: asyncio.Event, ended: asyncio.Future[None]) -> None:
    """Wait until the process is to stop or a background task has ended. Raises the task's failure."""
    waiting = asyncio.ensure_future(stopped.wait())
    either: list[asyncio.Future[Any]] = [waiting, ended]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if ended.done():
        ended.result()

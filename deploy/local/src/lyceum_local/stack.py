"""One instance of Lyceum on this machine, started part by part or as a whole."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec

from lyceum_local import containers, gateway, health, kafka, postgres, services, tenancy, web
from lyceum_local.errors import HalfRestored, HistoryRewound, NotUp, PrepareFailed, StackError
from lyceum_local.instance import OPERATOR, Instance
from lyceum_local.leftovers import marked_environment
from lyceum_local.ports import LOOPBACK
from lyceum_local.program import Program, log_file
from lyceum_local.settings import FURTHER, SERVICES
from lyceum_local.waiting import poll, tail
from servicekit import probe

PREPARE_TIMEOUT_S = 120.0
PREPARE_AT_ONCE = 2
SERVE_WAIT_S = 180.0
GATEWAY_WAIT_S = 180.0
WORK_WAIT_S = 180.0
COMPARE_WAIT_S = 30.0
"""A killed relay keeps its lease for some seconds, so the next one compares store and topics later."""


class LocalStack(Instance):
    """Starts and stops an instance's parts. Starting a running part does nothing.

    Every start blocks until the part is ready, or raises NotReady.
    """

    def start_backing(self, extra_listener: kafka.Listener | None = None) -> None:
        """Start PostgreSQL and Kafka at the same time."""
        self._make_home()
        self.supervisor.end_strays()
        with ThreadPoolExecutor(2) as pool:
            for started in [pool.submit(self.start_postgres), pool.submit(self.start_kafka, extra_listener)]:
                started.result()

    def start_postgres(self) -> None:
        """Start PostgreSQL, and create the instance's database in it."""
        self._make_home()
        if self.postgres_choice == "docker":
            password = self.secrets.password(postgres.ADMIN_SECRET)
            image, port = self.settings.postgres_image, self.ports.postgres
            containers.ensure_postgres(self.data_dir, image, port, postgres.ADMIN, password, postgres.MAX_CONNECTIONS)
        if self.postgres_choice == "embedded":
            folder = self.data_dir / "postgres"
            postgres.initialise(folder, self.secrets)
            if not self._runs("postgres"):
                postgres.remove_stale_lock(folder)
            self._launch(postgres.program(folder, self.ports.postgres), ["postgres"])
        self._await("postgres", self._postgres_complaint, postgres.READY_WAIT_S)
        tenancy.ensure_database(self.admin_url, self.prefix)
        self.say(f"PostgreSQL is ready ({self.postgres_choice})")

    def start_kafka(self, extra_listener: kafka.Listener | None = None) -> None:
        """Start the broker; only an embedded broker gets the extra listener."""
        self._make_home()
        if self.kafka_choice == "docker":
            containers.ensure_kafka(self.data_dir, self.settings.kafka_image, self.ports.kafka)
        if self.kafka_choice == "embedded":
            jars, folder = kafka.ensure_jars(self.settings.cache_dir), self.data_dir / "kafka"
            tls = self.around.tls_dir("kafka")
            kafka.initialise(folder, jars, self.ports.kafka, self.ports.kafka_controller, extra_listener, tls)
            self._end_hanging_kafka()
            self._launch(kafka.program(folder, jars), ["kafka", "kafka_controller"])
        self._await("kafka", self._kafka_complaint, kafka.READY_WAIT_S)
        self.say(f"Kafka is ready ({self.kafka_choice})")

    def _end_hanging_kafka(self) -> None:
        """A broker that met a full disk while it started neither serves nor ends, also when there is room again."""
        if self._runs("kafka") and (reason := poll(self._kafka_complaint, kafka.HANGING_S)):
            self.say(f"Kafka runs and does not answer ({reason}): it is started again")
            self.stop("kafka")

    def prepare(self, names: Sequence[str] = SERVICES) -> None:
        """Create roles, schemas, tables and topics of the named services, two services at a time; raises
        PrepareFailed."""
        environments = {name: self.environment(name) for name in names}
        with ThreadPoolExecutor(PREPARE_AT_ONCE) as pool:
            for done in [pool.submit(self._prepare, name, variables) for name, variables in environments.items()]:
                done.result()
        self.say("tables and topics are ready")

    def _prepare(self, service: str, variables: Mapping[str, str]) -> None:
        log = log_file(self.supervisor.logs, f"{service}-prepare")
        with log.open("w") as output:
            command = [sys.executable, "-m", service, "prepare"]
            child = marked_environment(self.data_dir) | dict(variables)
            try:
                subprocess.run(command, env=child, stdout=output, stderr=output, timeout=PREPARE_TIMEOUT_S, check=True)
            except subprocess.SubprocessError as failed:
                raise PrepareFailed(service, log, tail(log.read_text())) from failed

    def start_servers(self, names: Sequence[str] = SERVICES) -> None:
        """Start the gRPC servers of the named services."""
        self.launch_servers(names)
        for name in names:
            self._await_server(name)
        self.say("the servers are ready: " + ", ".join(names))

    def launch_servers(self, names: Sequence[str] = SERVICES) -> None:
        """The same without waiting until they are ready."""
        for name in names:
            self._launch(
                services.program(self.around, name, "serve", self.environment(name)), [name, f"{name}_serve_metrics"]
            )

    def _await_server(self, name: str) -> None:
        """Waits for the server. Raises NotReady, or HistoryRewound as soon as that is known."""
        self._await(f"{name}-serve", partial(self._server_complaint, name), SERVE_WAIT_S)

    def _server_complaint(self, name: str) -> str | None:
        """The server's complaint. Raises HistoryRewound if its relay sends nothing because the store was restored to an
        earlier point: waiting does not help."""
        tls_dir = str(self.around.tls_dir(OPERATOR) or "")
        complaint = probe.grpc_complaint(LOOPBACK, self.ports.of(name), tls_dir)
        if complaint and health.rewound(LOOPBACK, self.ports.of(f"{name}_serve_metrics")):
            raise HistoryRewound(name)
        return complaint

    def await_relay(self, name: str) -> None:
        """Waits until the relay has compared store and topics; the server serves earlier. Raises HistoryRewound."""
        port = self.ports.of(f"{name}_serve_metrics")
        self._await(f"{name}-serve", partial(health.relay_complaint, LOOPBACK, port), COMPARE_WAIT_S)
        if health.rewound(LOOPBACK, port):
            raise HistoryRewound(name)

    def start_workers(self, names: Sequence[str] = SERVICES) -> None:
        """Start the workers of the named services, and wait until each reads its partitions."""
        self.launch_workers(names)
        for name in names:
            self._await_page(name, "work")
        self.say("the workers are ready: " + ", ".join(names))

    def launch_workers(self, names: Sequence[str] = SERVICES) -> None:
        """The same without waiting until they are ready."""
        for name in names:
            self._launch(services.program(self.around, name, "work", self.environment(name)), [f"{name}_work_metrics"])

    def start_further(self, names: Sequence[str] = SERVICES) -> None:
        """Start the further roles of the named services, and wait until each is well; does nothing if there are
        none."""
        roles = [(name, role) for name in names for role in FURTHER[name]]
        for name, role in roles:
            program = services.program(self.around, name, role, self.environment(name))
            self._launch(program, [f"{name}_{role}_metrics"])
        for name, role in roles:
            self._await_page(name, role)
        if roles:
            self.say("the further roles are ready: " + ", ".join(services.process_name(*each) for each in roles))

    def _await_page(self, name: str, role: str) -> None:
        """Waits for a process without gRPC: its metrics page says whether it is well."""
        well = partial(probe.metrics_complaint, LOOPBACK, self.ports.of(f"{name}_{role}_metrics"))
        self._await(services.process_name(name, role), well, WORK_WAIT_S)

    def start_simulator(self) -> None:
        """Start the payment simulator."""
        variables = services.simulator_environment(self.around)
        self._launch(Program("simulator", (sys.executable, "-m", "payment_simulator"), variables), ["simulator"])
        self._await("simulator", lambda: health.tcp_complaint(LOOPBACK, self.ports.simulator), SERVE_WAIT_S)
        self.say("the payment simulator is ready")

    def start_gateway(self) -> None:
        """Start Envoy in front of the services."""
        doors = ["gateway", "gateway_admin", *(["gateway_pages"] if web.is_installed() else [])]
        self._launch(gateway.program(self.around), doors)
        self._await("gateway", partial(gateway.complaint, self.around), GATEWAY_WAIT_S)
        self.say(f"the gateway is ready at {self.around.public_url}")

    def start_web(self) -> None:
        """Start the web client; it serves its pages through the gateway."""
        self._launch(web.program(self.around, self.settings.cache_dir), ["web"])
        self._await("web", partial(web.complaint, self.around), GATEWAY_WAIT_S)
        self.say(f"the pages are ready at {self.around.public_url}/web/")

    def up(self) -> None:
        """Start everything that is installed, in order, and name what is not installed. Safe to repeat, and after a
        killed start.

        A part that is not well does not keep others down: `up` waits for the servers, then, whatever their state, for
        the gateway and the workers, then for the further roles, which are heavy and would slow the workers' start down.
        Raises HalfRestored if a restore has not ended, and at the end the failures.
        """
        if self.half_restored:
            raise HalfRestored(self.data_dir, self.half_restored)
        present = [name for name in SERVICES if find_spec(name)]
        self._tell_missing([*SERVICES, "payment_simulator", "lyceum_web"])
        self.start_backing()
        self.prepare(present)
        simulator = [self.start_simulator] if find_spec("payment_simulator") else []
        gateway_ = [self.start_gateway] if "identity" in present else []
        web_ = [self.start_web] if gateway_ and web.is_installed() else []
        self.launch_servers(present)
        failures = _at_once([*(partial(self.start_servers, [name]) for name in present), *simulator])
        self.launch_workers(present)
        failures += _at_once([*gateway_, *web_, *(partial(self.start_workers, [name]) for name in present)])
        named = {failure.service for failure in failures if isinstance(failure, HistoryRewound)}
        relays = [partial(self.await_relay, name) for name in present if name not in named]
        failures += _at_once([*(partial(self.start_further, [name]) for name in present), *relays])
        _raise(failures)

    def _tell_missing(self, packages: Sequence[str]) -> None:
        missing = [name for name in packages if not find_spec(name)]
        if missing:
            self.say("left out, because this environment does not have them: " + ", ".join(missing))

    def down(self) -> None:
        """Stop everything, outermost parts first, and keep all data; does nothing if nothing runs."""
        if self.supervisor.running():
            for stage in _stages(list(self.supervisor.states())):
                self.supervisor.stop(stage)
        self.supervisor.shutdown()
        if containers.engine_answers():
            containers.stop_all(self.data_dir)

    def _postgres_complaint(self) -> str | None:
        ended = containers.complaint(self.data_dir, "postgres") if self.postgres_choice == "docker" else None
        return ended or postgres.complaint(self.admin_url)

    def _kafka_complaint(self) -> str | None:
        ended = containers.complaint(self.data_dir, "kafka") if self.kafka_choice == "docker" else None
        return ended or kafka.complaint(self.brokers)


def _at_once(parts: Sequence[Callable[[], None]]) -> list[BaseException]:
    """Starts parts at the same time and waits for each, even if others fail; returns the failures."""
    with ThreadPoolExecutor(len(parts) or 1) as pool:
        return [failure for done in [pool.submit(part) for part in parts] if (failure := done.exception())]


def _raise(failures: Sequence[BaseException]) -> None:
    """Raises a single failure itself, or NotUp for several; returns if there is none."""
    unexpected = [failure for failure in failures if not isinstance(failure, StackError)]
    if unexpected or len(failures) == 1:
        raise (unexpected or failures)[0]
    if failures:
        raise NotUp(list(map(str, failures)))


def _stages(names: list[str]) -> list[list[str]]:
    """The order of stopping: gateway, pages and simulator, workers with further roles, servers, then PostgreSQL and
    Kafka."""
    backing_parts = [[name for name in names if name == part] for part in ("kafka", "postgres")]
    outer = [name for name in names if name in ("gateway", "web", "simulator")]
    workers = [name for name in names if name.rpartition("-")[0] in SERVICES and not name.endswith("-serve")]
    rest = [name for name in names if name not in {"kafka", "postgres", *outer, *workers}]
    return [stage for stage in (outer, workers, rest, *backing_parts) if stage]

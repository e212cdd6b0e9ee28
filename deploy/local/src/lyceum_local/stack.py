"""One instance of Lyceum on this machine, started part by part or as a whole."""

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path

from lyceum_local import backing, containers, gateway, health, kafka, postgres, services, tenancy
from lyceum_local.errors import Busy, NotReady, PrepareFailed
from lyceum_local.leftovers import marked_environment
from lyceum_local.ports import LOOPBACK, require_free
from lyceum_local.program import Program, log_file
from lyceum_local.secrets_file import Secrets
from lyceum_local.settings import SERVICES, Ports, StackSettings, ports_of
from lyceum_local.supervisor_link import ProcessState, Supervisor
from lyceum_local.waiting import poll, tail

LOCK_WAIT_S = 180.0
PREPARE_TIMEOUT_S = 120.0
PREPARE_AT_ONCE = 2
SERVE_WAIT_S = 60.0
GATEWAY_WAIT_S = 30.0
WORK_WAIT_S = 30.0
ALIVE = ("RUNNING", "STARTING")

Say = Callable[[str], None]
Complaint = Callable[[], str | None]


class LocalStack:
    """The processes of one data folder. Instances with folders, ports and prefixes of their own live side by side.

    Starting what runs already does nothing; every start blocks until the part is ready or raises NotReady.
    """

    def __init__(
        self, data_dir: Path | None = None, ports: Ports | None = None, prefix: str = "",
        settings: StackSettings | None = None, say: Say = lambda line: None,
    ) -> None:  # fmt: skip
        self.settings = settings or StackSettings()
        self.data_dir = (data_dir or self.settings.data_dir).expanduser().resolve()
        self.ports = ports or ports_of(self.data_dir)
        self.prefix = prefix
        self.say = say
        self._database_urls: dict[str, str] = {}
        self.supervisor = Supervisor(self.data_dir)
        self.secrets = Secrets(self.data_dir / "passwords.json")

    # -- what the instance is --------------------------------------------------------------------

    @cached_property
    def postgres_choice(self) -> backing.Choice:
        """Where PostgreSQL comes from."""
        return backing.choose(self.settings.postgres_url, self.settings)

    @cached_property
    def kafka_choice(self) -> backing.Choice:
        """Where Kafka comes from."""
        return backing.choose(self.settings.kafka_bootstrap, self.settings)

    @property
    def admin_url(self) -> str:
        """The URL of a PostgreSQL role that may create roles and databases."""
        return self.settings.postgres_url or postgres.admin_url(self.ports.postgres, self.secrets)

    @property
    def kafka_bootstrap(self) -> str:
        """host:port of the broker."""
        return self.settings.kafka_bootstrap or f"{LOOPBACK}:{self.ports.kafka}"

    @property
    def around(self) -> services.Surroundings:
        """What all services share."""
        return services.Surroundings(self.data_dir, self.ports, self.prefix, self.kafka_bootstrap)

    def environment(self, service: str) -> dict[str, str]:
        """What `service` is told; its role and schema must exist (see `provision`)."""
        return services.environment(self.around, service, self.database_url(service))

    def database_url(self, service: str) -> str:
        """Makes role and schema of `service` unless they are there; returns the role's URL. PostgreSQL must run."""
        if service not in self._database_urls:
            made = tenancy.ensure_service(self.admin_url, self.prefix, service, self.secrets)
            self._database_urls[service] = made
        return self._database_urls[service]

    @contextmanager
    def exclusively(self, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Holds the instance against other starting or stopping commands; raises Busy. A killed holder lets go."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.data_dir / "lock").open("w") as lock:
            if poll(partial(_try_lock, lock.fileno()), wait_s):
                raise Busy(self.data_dir, wait_s)
            yield

    # -- starting --------------------------------------------------------------------------------

    def start_backing(self) -> None:
        """PostgreSQL and Kafka, both at once."""
        self._make_home()
        self.supervisor.end_strays()
        with ThreadPoolExecutor(2) as pool:
            for started in [pool.submit(self.start_postgres), pool.submit(self.start_kafka)]:
                started.result()

    def start_postgres(self) -> None:
        """PostgreSQL, with the instance's database in it."""
        self._make_home()
        if self.postgres_choice == "docker":
            password = self.secrets.password(postgres.ADMIN_SECRET)
            image, port = self.settings.postgres_image, self.ports.postgres
            containers.ensure_postgres(self.data_dir, image, port, postgres.ADMIN, password, postgres.MAX_CONNECTIONS)
        if self.postgres_choice == "embedded":
            folder = self.data_dir / "postgres"
            postgres.initialise(folder, self.secrets)
            self._launch(postgres.program(folder, self.ports.postgres), ["postgres"])
        self._await("postgres", lambda: postgres.complaint(self.admin_url), postgres.READY_WAIT_S)
        tenancy.ensure_database(self.admin_url, self.prefix)
        self.say(f"PostgreSQL is ready ({self.postgres_choice})")

    def start_kafka(self) -> None:
        """The broker."""
        self._make_home()
        if self.kafka_choice == "docker":
            containers.ensure_kafka(self.data_dir, self.settings.kafka_image, self.ports.kafka)
        if self.kafka_choice == "embedded":
            jars, folder = kafka.ensure_jars(self.settings.cache_dir), self.data_dir / "kafka"
            kafka.initialise(folder, jars, self.ports.kafka, self.ports.kafka_controller)
            self._launch(kafka.program(folder, jars), ["kafka", "kafka_controller"])
        self._await("kafka", lambda: kafka.complaint(self.kafka_bootstrap), kafka.READY_WAIT_S)
        self.say(f"Kafka is ready ({self.kafka_choice})")

    def prepare(self, names: Sequence[str] = SERVICES) -> None:
        """Roles, schemas, migrations and topics of the named services, two services at a time; raises PrepareFailed."""
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
        """The gRPC servers of the named services."""
        for name in names:
            self._launch(
                services.program(self.around, name, "serve", self.environment(name)), [name, f"{name}_serve_metrics"]
            )
        for name in names:
            target = f"{LOOPBACK}:{self.ports.of(name)}"
            self._await(f"{name}-serve", partial(health.grpc_complaint, target), SERVE_WAIT_S)
        self.say("the servers are ready: " + ", ".join(names))

    def start_workers(self, names: Sequence[str] = SERVICES) -> None:
        """The folds and processes of the named services."""
        for name in names:
            self._launch(services.program(self.around, name, "work", self.environment(name)), [f"{name}_work_metrics"])
        for name in names:
            self._await(f"{name}-work", partial(self._settled, f"{name}-work"), WORK_WAIT_S)
        self.say("the workers are running: " + ", ".join(names))

    def start_simulator(self) -> None:
        """The payment simulator."""
        variables = services.simulator_environment(self.around)
        self._launch(Program("simulator", (sys.executable, "-m", "payment_simulator"), variables), ["simulator"])
        self._await("simulator", lambda: health.tcp_complaint(LOOPBACK, self.ports.simulator), SERVE_WAIT_S)
        self.say("the payment simulator is ready")

    def start_gateway(self) -> None:
        """Envoy before the services."""
        self._launch(gateway.program(self.around), ["gateway", "gateway_admin"])
        ready = f"http://{LOOPBACK}:{self.ports.gateway_admin}/ready"
        self._await("gateway", lambda: health.http_complaint(ready), GATEWAY_WAIT_S)
        self.say(f"the gateway is ready at {self.around.public_url}")

    def up(self) -> None:
        """Everything that is installed, in order. Safe to repeat, and after a start that was killed."""
        present = [name for name in SERVICES if find_spec(name)]
        self.start_backing()
        self.prepare(present)
        self.start_servers(present)
        self.start_workers(present)
        if find_spec("payment_simulator"):
            self.start_simulator()
        if find_spec("lyceum_gateway"):
            self.start_gateway()

    # -- stopping and faults ---------------------------------------------------------------------

    def down(self) -> None:
        """Stops everything, outermost first, keeping all data; does nothing where nothing runs."""
        if self.supervisor.running():
            for stage in _stages(list(self.supervisor.states())):
                self.supervisor.stop(stage)
        self.supervisor.shutdown()
        if containers.engine_answers():
            containers.stop_all(self.data_dir)

    def stop(self, name: str) -> None:
        """Stops one process until it is started again."""
        self.supervisor.stop([name])

    def start(self, name: str) -> None:
        """Starts a process that was stopped; returns at once."""
        self.supervisor.start(name)

    def restart(self, name: str) -> None:
        """Stops and starts one process; returns when it runs."""
        self.stop(name)
        self.start(name)
        self._await(name, partial(self._settled, name), SERVE_WAIT_S)

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts the process again by itself."""
        self.supervisor.signal(name, "KILL")

    def pause(self, name: str) -> None:
        """SIGSTOP: the process keeps its connections and does nothing."""
        self.supervisor.signal(name, "STOP")

    def resume(self, name: str) -> None:
        """SIGCONT after `pause`."""
        self.supervisor.signal(name, "CONT")

    def pid(self, name: str) -> int:
        """The process id, 0 when it does not run; raises UnknownProcess."""
        return self.supervisor.state(name).pid

    def states(self) -> dict[str, ProcessState]:
        """Every process by name; raises NotRunning."""
        return self.supervisor.states()

    # -- inside ----------------------------------------------------------------------------------

    def _make_home(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.supervisor.ensure_running()

    def _launch(self, program: Program, port_names: Sequence[str]) -> None:
        self.supervisor.define(program)
        if self.supervisor.state(program.name).pid:
            return
        for name in port_names:
            require_free(program.name, self.ports.of(name), f"LYCEUM_PORT_{name.upper()}")
        self.supervisor.start(program.name)

    def _await(self, part: str, complaint: Complaint, wait_s: float) -> None:
        """Waits until `part` runs (where it is a process here) without complaint; raises NotReady."""
        log = log_file(self.supervisor.logs, part)
        started = time.monotonic()
        reason = poll(lambda: self._not_running(part) or complaint(), wait_s)
        if reason:
            text = log.read_text(errors="replace") if log.exists() else ""
            raise NotReady(part, time.monotonic() - started, reason, log if text else None, tail(text))

    def _not_running(self, part: str) -> str | None:
        """None for a process that runs, and for what is no process here (a given server)."""
        state = self.supervisor.states().get(part)
        if state is None or state.state in ALIVE:
            return None
        return f"{state.state.lower()}: {state.description}"

    def _settled(self, part: str) -> str | None:
        """None once the supervisor counts the process as running, some seconds after its start."""
        state = self.supervisor.state(part)
        return None if state.state == "RUNNING" else f"{state.state.lower()}: {state.description}"


def _try_lock(descriptor: int) -> str | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "locked"
    return None


def _stages(names: list[str]) -> list[list[str]]:
    """The order of stopping: gateway and simulator, workers and servers, then what they stand on."""
    backing_parts = [[name for name in names if name == part] for part in ("kafka", "postgres")]
    outer = [name for name in names if name in ("gateway", "simulator")]
    workers = [name for name in names if name.endswith("-work")]
    rest = [name for name in names if name not in {"kafka", "postgres", *outer, *workers}]
    return [stage for stage in (outer, workers, rest, *backing_parts) if stage]

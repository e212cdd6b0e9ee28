"""One instance of Lyceum on this machine: its folder, ports and names, and its supervised processes."""

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

from eventfold.publish.brokers import Brokers
from lyceum_local import backing, postgres, services, tenancy
from lyceum_local.errors import Busy, NotReady
from lyceum_local.ports import LOOPBACK, require_free
from lyceum_local.program import Program, log_file
from lyceum_local.secrets_file import Secrets
from lyceum_local.settings import Ports, StackSettings, ports_of
from lyceum_local.supervisor_link import ProcessState, Supervisor
from lyceum_local.waiting import poll, tail

LOCK_WAIT_S = 180.0
RESTART_WAIT_S = 60.0
OPERATOR = "operator"
"""Owner of the certificate with which the stack's own programs ask services and Kafka."""
ALIVE = ("RUNNING", "STARTING")
WAITS_TO_START = "BACKOFF"

Say = Callable[[str], None]
Complaint = Callable[[], str | None]


class Instance:
    """The processes of one data folder. Instances with different folders, ports and prefixes can run side by side."""

    def __init__(
        self,
        data_dir: Path | None = None,
        ports: Ports | None = None,
        prefix: str = "",
        settings: StackSettings | None = None,
        say: Say = lambda line: None,
    ) -> None:
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
    def _kafka_source(self) -> backing.Choice:
        return backing.choose(self.settings.kafka_bootstrap, self.settings)

    @property
    def kafka_choice(self) -> backing.Choice:
        """Where Kafka comes from. With TLS it is not a container, because containers get no certificates."""
        return "embedded" if self.tls and self._kafka_source == "docker" else self._kafka_source

    @property
    def admin_url(self) -> str:
        """The URL of a PostgreSQL role that may create roles and databases."""
        return self.settings.postgres_url or postgres.admin_url(self.ports.postgres, self.secrets)

    @property
    def kafka_bootstrap(self) -> str:
        """host:port of the broker."""
        return self.settings.kafka_bootstrap or f"{LOOPBACK}:{self.ports.kafka}"

    @property
    def brokers(self) -> Brokers:
        """The broker as the stack's own programs reach it. Makes their certificate if there is TLS."""
        folder = self.around.tls_dir(OPERATOR) if self.kafka_tls else None
        return Brokers.at(self.kafka_bootstrap, str(folder or ""))

    @property
    def tls(self) -> bool:
        """Whether services, gateway and Kafka speak mutual TLS: the settings say so, or the last `up` did."""
        return self.settings.tls or self._tls_file.exists()

    @property
    def kafka_tls(self) -> bool:
        """The same for Kafka. A given one is taken as it is: in plain text."""
        return self.tls and self.kafka_choice != "given"

    def speak_tls(self, *, wanted: bool) -> None:
        """Remember for later commands whether there is TLS. What runs otherwise is restarted by `up`."""
        if wanted:
            self._tls_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._tls_file.touch(mode=0o600)
        else:
            self._tls_file.unlink(missing_ok=True)

    @property
    def _tls_file(self) -> Path:
        return self.data_dir / services.TLS / "on"

    @property
    def around(self) -> services.Surroundings:
        """What all services share."""
        return services.Surroundings(
            self.data_dir, self.ports, self.prefix, self.kafka_bootstrap, self.tls, self.kafka_tls
        )

    def environment(self, service: str) -> dict[str, str]:
        """The environment of `service`. Its role and schema are created if needed, so PostgreSQL must run."""
        return services.environment(self.around, service, self.database_url(service))

    def known_environment(self, service: str) -> dict[str, str]:
        """The same for a service that was prepared before, without asking PostgreSQL. Raises NotPrepared."""
        url = tenancy.service_url(self.admin_url, self.prefix, service, self.secrets)
        return services.environment(self.around, service, url)

    def database_url(self, service: str) -> str:
        """Creates role and schema of `service` unless they exist; returns the role's URL. PostgreSQL must run."""
        if service not in self._database_urls:
            made = tenancy.ensure_service(self.admin_url, self.prefix, service, self.secrets)
            self._database_urls[service] = made
        return self._database_urls[service]

    def forget_databases(self) -> None:
        """Make `database_url` check each role and schema again, because the server or its database has changed."""
        self._database_urls.clear()

    @contextmanager
    def exclusively(self, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Locks the instance against other commands that start or stop it; raises Busy. A kill releases the lock."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.data_dir / "lock").open("w") as lock:
            if poll(partial(_try_lock, lock.fileno()), wait_s):
                raise Busy(self.data_dir, wait_s)
            yield

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
        self._await(name, partial(self._settled, name), RESTART_WAIT_S)

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
        """The process id, 0 if it does not run; raises UnknownProcess."""
        return self.supervisor.state(name).pid

    def states(self) -> dict[str, ProcessState]:
        """Every process by name; raises NotRunning."""
        return self.supervisor.states()

    @property
    def half_restored_file(self) -> Path:
        """This file exists from the beginning of a restore until it has succeeded, and names the backup."""
        return self.data_dir / "restoring-from"

    @property
    def half_restored(self) -> str | None:
        """The backup of a restore that was begun and did not end; None if there is none."""
        return self.half_restored_file.read_text() if self.half_restored_file.exists() else None

    # -- inside ----------------------------------------------------------------------------------

    def _make_home(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.supervisor.ensure_running()

    def _launch(self, program: Program, port_names: Sequence[str]) -> None:
        self.supervisor.define(program)
        state = self.supervisor.state(program.name)
        if state.pid:
            return
        if state.state == WAITS_TO_START:
            self.supervisor.stop([program.name])  # its restart pauses have grown: begin with short ones again
        for name in port_names:
            require_free(program.name, self.ports.of(name), f"LYCEUM_PORT_{name.upper()}")
        self.supervisor.start(program.name)

    def _runs(self, name: str) -> bool:
        """Whether the supervisor has a process of this name running."""
        state = self.supervisor.states().get(name)
        return state is not None and state.pid != 0

    def _await(self, part: str, complaint: Complaint, wait_s: float) -> None:
        """Waits until `part` runs (if it is a process of this instance) without complaint; raises NotReady."""
        log = log_file(self.supervisor.logs, part)
        started = time.monotonic()
        reason = poll(lambda: self._not_running(part) or complaint(), wait_s)
        if reason:
            text = log.read_text(errors="replace") if log.exists() else ""
            raise NotReady(
                part=part, wait_s=time.monotonic() - started, reason=reason, log=log if text else None, tail=tail(text)
            )

    def _not_running(self, part: str) -> str | None:
        """None for a running process, and for a part that is not a process of this instance (a given server)."""
        state = self.supervisor.states().get(part)
        if state is None or state.state in ALIVE:
            return None
        return f"{state.state.lower()}: {state.description}"

    def _settled(self, part: str) -> str | None:
        """None once the supervisor counts the process as running, a few seconds after its start."""
        state = self.supervisor.state(part)
        return None if state.state == "RUNNING" else f"{state.state.lower()}: {state.description}"


def _try_lock(descriptor: int) -> str | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "locked"
    return None

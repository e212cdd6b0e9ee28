"""The whole product in its own folder, with PostgreSQL's and Kafka's data on disks whose power can be cut."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from lyceum_local.leftovers import end_leftovers, marked
from lyceum_local.ports import LOOPBACK
from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack
from tests.faults.stack.disks import Disk, to_be_had
from tests.faults.stack.journal import Journal
from tests.faults.stack.load import Load

PREFIX = "s1."
PARTS = ("postgres", "kafka")
UP_S, OPS_S = 600.0, 600.0
DEAD_WAIT_S = 20.0


class Product:
    """The product that trials act on. `up` and `ops` run exactly the commands that an operator has."""

    def __init__(self, folder: Path, stack: LocalStack, disks: dict[str, Disk], seed: int) -> None:
        self.folder, self.stack, self.disks = folder, stack, disks
        stack.start_backing()
        self._move_to_disks()
        stack.up()
        simulator = f"http://{LOOPBACK}:{stack.ports.simulator}"
        self.load = Load(stack.around.public_url, simulator, Journal(folder / "journal.jsonl"), seed)

    def _move_to_disks(self) -> None:
        if not self.disks:
            return
        self.stack.down()
        for part, disk in self.disks.items():
            if (self.stack.data_dir / part).is_symlink():
                continue
            shutil.move(self.stack.data_dir / part, disk.home / part)
            (self.stack.data_dir / part).symlink_to(disk.home / part)

    def data(self, part: str) -> Path:
        """The folder of the part's files."""
        return (self.stack.data_dir / part).resolve()

    def rows(self, service: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Rows of a query with the service's own role; none while PostgreSQL cannot be reached."""
        try:
            with psycopg.connect(self.stack.database_url(service), connect_timeout=2) as conn:
                return conn.execute(query.encode(), arguments).fetchall()
        except psycopg.OperationalError:
            return []

    def kill_everything(self) -> None:
        """Kill all processes at once, as when the machine fails; the supervisor first, so that it restarts none."""
        _kill([one for process in marked(self.stack.data_dir) for one in [process, *_children(process)]])
        end_leftovers(self.stack.data_dir)

    def cut_power(self, parts: tuple[str, ...]) -> None:
        """The disks of `parts` lose unsynced data, and accept no more writes."""
        for part in parts:
            self.disks[part].cut_power()

    def stop_dead(self, name: str) -> None:
        """Kill the process with SIGKILL, and keep the supervisor from starting it again."""
        pid = self.stack.pid(name)
        if pid:
            _kill([psutil.Process(pid), *_children(psutil.Process(pid))])
        self.stack.stop(name)

    def ensure_on_disks(self) -> None:
        """Move parts back to their disks, after a part was created anew beside its disk."""
        if self.disks and not all((self.stack.data_dir / part).is_symlink() for part in PARTS):
            self._move_to_disks()
            self.stack.up()

    def give_power(self, parts: tuple[str, ...]) -> None:
        for part in parts:
            self.disks[part].unmount()
            self.disks[part].mount()

    def up(self) -> tuple[int, str]:
        """`make up`: its exit status and its output."""
        return self._command(UP_S, "up")

    def ops(self, service: str, *words: str) -> tuple[int, str]:
        """`make ops`: its exit status and its output."""
        return self._command(OPS_S, "ops", service, *words)

    def _command(self, within_s: float, name: str, *words: str) -> tuple[int, str]:
        """Run a command as an operator does: in another process, with this instance's prefix."""
        program = (
            "import sys; from lyceum_local import __main__ as it; "
            "from tests.faults.stack.product import embedded; "
            "it.LocalStack = embedded; sys.exit(it.main(sys.argv[1:]))"
        )
        command = [sys.executable, "-c", program, name, "--data-dir", str(self.stack.data_dir), *words]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    def close(self) -> None:
        self.load.close()
        self.load.journal.close()


def embedded(folder: Path, ports: Ports, say: Any = None) -> LocalStack:
    """An instance with its own PostgreSQL and Kafka, even if the environment names others."""
    settings = StackSettings(docker=False, postgres_url=None, kafka_bootstrap=None)
    return LocalStack(folder, ports, prefix=PREFIX, settings=settings, say=say or (lambda line: None))


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(processes: Sequence[psutil.Process]) -> None:
    """Kill all processes at once, and wait until they are gone, so that they hold no files."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=DEAD_WAIT_S)


@contextmanager
def built(folder: Path, seed: int) -> Iterator[Product]:
    """A product in `folder`. It is ended in any case."""
    home = folder / "data"
    home.mkdir()
    ports = Ports.free()
    (home / "ports.json").write_text(ports.model_dump_json())
    stack = embedded(home, ports)
    with ExitStack() as ending:
        disks = {part: Disk(folder, f"disk-{part}") for part in PARTS} if to_be_had() else {}
        for disk in disks.values():
            ending.callback(disk.unmount)
        ending.callback(stack.down)
        product = Product(folder, stack, disks, seed)
        ending.callback(product.close)
        yield product

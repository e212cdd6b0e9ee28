"""The output of `status` and `logs`."""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from lyceum_local.errors import UnknownProcess
from lyceum_local.memory import BYTES_PER_MIB, pss_of, pss_of_tree
from lyceum_local.program import START_RETRIES
from lyceum_local.stack import LocalStack

LINES_SHOWN = 50
TROUBLES = {
    "FATAL": "{name} ended {tries} times right after its start and is not started again by itself: read its log "
    "(make logs SERVICE={name}), mend the cause, then make up starts it.",
    "BACKOFF": "{name} ended right after its start and is tried again, at growing pauses, up to {tries} times: read "
    "its log (make logs SERVICE={name}); once the cause is mended make up starts it at once.",
}
"""The message for a process in each of these states of the supervisor."""


@dataclass(frozen=True)
class Row:
    """One process with its children."""

    process: str
    state: str
    pid: int
    pss_bytes: int
    detail: str


def rows(stack: LocalStack) -> list[Row]:
    """Every process of the stack, the supervisor last; raises NotRunning."""
    states = stack.states().values()
    found = [
        Row(
            process=s.name, state=s.state, pid=s.pid, pss_bytes=pss_of_tree(s.pid) if s.pid else 0, detail=s.description
        )
        for s in states
    ]
    pid = stack.supervisor.pid()
    return [*found, Row(process="supervisor", state="RUNNING", pid=pid, pss_bytes=pss_of(pid), detail="")]


def troubles(found: list[Row]) -> list[str]:
    """For each process that does not stay up, a sentence with the next step."""
    return [TROUBLES[row.state].format(name=row.process, tries=START_RETRIES) for row in found if row.state in TROUBLES]


def as_json(found: list[Row]) -> str:
    """Processes and the sum, in bytes."""
    total = sum(row.pss_bytes for row in found)
    return json.dumps({"processes": [asdict(row) for row in found], "pss_bytes": total}, indent=1)


def as_table(found: list[Row]) -> str:
    """Processes and the sum, in MiB of proportional set size."""
    lines = [
        f"{row.process:16} {row.state:9} {row.pss_bytes / BYTES_PER_MIB:7.0f} MiB  {row.detail or f'pid {row.pid}'}"
        for row in found
    ]
    total = sum(row.pss_bytes for row in found) / BYTES_PER_MIB
    return "\n".join([*lines, f"{'sum of PSS':26} {total:7.0f} MiB"])


def follow(stack: LocalStack, name: str | None) -> None:
    """Shows the end of the logs of `name` (a service or process; without it, of all) and follows them until
    interrupted."""
    subprocess.run(
        ["tail", "-n", str(LINES_SHOWN), "-F", *map(str, log_files(stack.supervisor.logs, name))], check=False
    )


def log_files(logs: Path, name: str | None) -> list[Path]:
    """The log files of a service or process; raises UnknownProcess if there are none."""
    everything = sorted(logs.glob("*.log"))
    chosen = [file for file in everything if name is None or file.stem == name or file.stem.startswith(f"{name}-")]
    if not chosen:
        raise UnknownProcess(name or "", [file.stem for file in everything])
    return chosen

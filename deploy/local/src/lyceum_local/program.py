"""One supervised process, and its section of the supervisor's configuration."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

START_S = 3
START_RETRIES = 20
LOG_BYTES = 10_000_000
LOG_FILES_KEPT = 3


@dataclass(frozen=True)
class Program:
    """A process to run. It is restarted if it ends unasked; its output goes to a rotated log file of its name."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_wait_s: int = 15

    def section(self, logs: Path) -> str:
        """The program as an ini section; raises ValueError for a value that ini cannot carry."""
        settings = {
            "command": _escaped(shlex.join(self.command)),
            "environment": ",".join(
                f'{key}="{_escaped(_quotable(key, value))}"' for key, value in sorted(self.environment.items())
            ),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": START_S,
            "startretries": START_RETRIES,
            "stopsignal": self.stop_signal,
            "stopwaitsecs": self.stop_wait_s,
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": _escaped(str(log_file(logs, self.name))),
            "stdout_logfile_maxbytes": LOG_BYTES,
            "stdout_logfile_backups": LOG_FILES_KEPT,
        }
        return f"[program:{self.name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def log_file(logs: Path, name: str) -> Path:
    """The file for the output of the process `name`."""
    return logs / f"{name}.log"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quotable(key: str, value: str) -> str:
    if set(value) & {'"', "\n", "\r"}:
        raise ValueError(
            f"the value of {key} holds a quote or a line break, which the supervisor's configuration cannot carry"
        )
    return value

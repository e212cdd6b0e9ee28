"""Structured logs: one JSON object per line on standard error. Never pass personal or secret values.

Each line has the service, the role and the version; lines of a call have its correlation id, which the caller was told
as `x-request-id`. SIGHUP switches between the usual level and DEBUG, without a restart.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from servicekit.call import present_call

VERSION_VARIABLE, UNVERSIONED = "LYCEUM_VERSION", "dev"
NOISY = ("aiokafka", "alembic", "faust", "mode")
"""Libraries that say at INFO what nobody asks for."""

log = logging.getLogger(__name__)


def version() -> str:
    """The version of this process, as its image says it; `dev` where none is said."""
    return os.environ.get(VERSION_VARIABLE) or UNVERSIONED


def configure_logs(service: str, role: str, level: str = "INFO") -> None:
    """Format the records of the standard library's logging (Faust, aiokafka, ours) as JSON. In the main thread SIGHUP
    then switches to DEBUG and back."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),  # locals hold secrets
        _correlated,
    ]
    told = {"service": service, "role": role, "version": version()}

    def place(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        return {**told, **event}

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            place,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    set_level(level)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, lambda *_: toggle(level))


def _correlated(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """With the correlation id of the call in which the line was written, if it was in one."""
    call = present_call()
    return event if call is None else {**event, "correlation_id": call.correlation_id}


def toggle(usual: str) -> None:
    """From the usual level to DEBUG, or back."""
    wanted = usual if logging.getLogger().level == logging.DEBUG else "DEBUG"
    set_level(wanted)
    log.warning("log level changed", extra={"to": wanted})


def set_level(level: str) -> None:
    """The level of everything. What libraries say at INFO is left out, unless all is wanted."""
    logging.getLogger().setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel("DEBUG" if level == "DEBUG" else "WARNING")

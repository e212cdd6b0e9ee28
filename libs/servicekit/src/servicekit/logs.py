"""Structured logs: one JSON object per line on standard error. Never pass personal or secret values."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def configure_logs(service: str, role: str, level: str = "INFO") -> None:
    """Format the records of the standard library's logging (Faust, aiokafka, ours) as JSON."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),  # locals hold secrets
    ]

    def place(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        return {"service": service, "role": role, **event}

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
    for noisy in ("aiokafka", "alembic", "faust", "mode"):
        logging.getLogger(noisy).setLevel("WARNING")

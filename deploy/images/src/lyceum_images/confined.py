"""What every container of the Compose file has in common: no privileges, a read-only root, bounds, a restart policy."""

from __future__ import annotations

from typing import Any

PIDS = 512
LOG_FILES, LOG_FILE_MB = 3, 10
CONFINED: dict[str, Any] = {
    "read_only": True,
    "tmpfs": ["/tmp:size=256m,mode=1777"],  # noqa: S108 - of the container alone
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "logging": {"driver": "json-file", "options": {"max-size": f"{LOG_FILE_MB}m", "max-file": str(LOG_FILES)}},
}
LASTING: dict[str, Any] = {"restart": "unless-stopped", "init": True}
"""The init passes signals on: as process 1, a Python that still starts would not hear SIGTERM, and be killed late."""


def limits(*, memory_mb: int, cpus: float = 2.0) -> dict[str, Any]:
    """At most this much of the machine for one container."""
    return {"deploy": {"resources": {"limits": {"cpus": str(cpus), "memory": f"{memory_mb}M", "pids": PIDS}}}}

"""How much of a machine each process asks for, and what it may take at most.

Memory comes from measurement on this code (docs/benchmarks.md, deploy/images/README.md): a server, relay or worker
idles at 83 to 111 MiB in its container; under load a server stays below 200 and a fold below 220. A server of reco
holds its matrices (0.95 GB at 100,000 items and 1,000,000 rows), one of metrics computes releases in a process of its
own. Limits of memory are the places where the kernel ends a process, so they leave room; there is no limit of CPU,
which would only slow down what could be fast (requests decide who gets how much).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """`cpu_m` in thousandths of a core, memory and local disk in MiB."""

    cpu_m: int
    memory_mib: int
    memory_limit_mib: int
    disk_mib: int = 64
    disk_limit_mib: int = 256

    def resources(self) -> Mapping[str, Mapping[str, str]]:
        """As Kubernetes spells it."""
        return {
            "requests": {
                "cpu": f"{self.cpu_m}m",
                "memory": f"{self.memory_mib}Mi",
                "ephemeral-storage": f"{self.disk_mib}Mi",
            },
            "limits": {"memory": f"{self.memory_limit_mib}Mi", "ephemeral-storage": f"{self.disk_limit_mib}Mi"},
        }


USUAL: Mapping[str, Size] = {
    "server": Size(250, 192, 512),
    "relay": Size(100, 128, 256),
    "fold": Size(200, 192, 512),
    "further": Size(200, 192, 1024),
    "prepare": Size(100, 128, 512),
    "ops": Size(50, 64, 1024),
    "doctor": Size(50, 128, 512),
}
"""By role."""
OWN: Mapping[tuple[str, str], Size] = {
    ("reco", "server"): Size(500, 1024, 2560),
    ("reco", "further"): Size(500, 1536, 3072),
    ("metrics", "server"): Size(500, 512, 1536, disk_mib=128, disk_limit_mib=512),
    ("metrics", "ops"): Size(50, 64, 1536, disk_limit_mib=512),
}
"""Of single services, where they need more than others."""
GATEWAY = Size(500, 128, 512)
WEB = Size(100, 128, 384)
SIMULATOR = Size(50, 64, 256)


def size(service: str, role: str) -> Size:
    """What the processes of a service in this role ask for."""
    return OWN.get((service, role), USUAL[role])

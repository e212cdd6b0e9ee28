"""Settings of the local stack: its data folder, its ports, and given PostgreSQL or Kafka servers."""

import json
import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from lyceum_local.ports import free_block
from lyceum_tree import services

SERVICES = tuple(services())
FURTHER = {one.name: one.further for one in services().values()}
"""The further roles of each service: processes beside its server and its worker."""

_of_services: Any = {name: (int, port) for one in services().values() for name, port in one.named_ports.items()}
_PortsOfServices = create_model("_PortsOfServices", __base__=BaseSettings, **_of_services)


class Ports(_PortsOfServices):
    """Every port of the stack, all on loopback; each is a setting LYCEUM_PORT_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="LYCEUM_PORT_", frozen=True)

    gateway: int = 8080
    gateway_admin: int = 15099
    gateway_pages: int = 15098
    postgres: int = 15432
    kafka: int = 19092
    kafka_controller: int = 19093
    simulator: int = 15090
    web: int = 15091

    def of(self, name: str) -> int:
        """The port called `name`; raises KeyError if no field has this name."""
        return int(self.model_dump()[name])

    @classmethod
    def free(cls) -> Self:
        """A block of free ports, for an instance beside others; raises NoFreePorts."""
        first = free_block(len(cls.model_fields))
        return cls.model_validate({name: first + place for place, name in enumerate(cls.model_fields)})


def ports_file(data_dir: Path) -> Path:
    """The file in which an instance with chosen free ports remembers them."""
    return data_dir / "ports.json"


def ports_of(data_dir: Path, *, free: bool = False) -> Ports:
    """The ports of the instance in `data_dir`: its remembered ports; else, with `free`, free ports, which are then
    remembered; else those of the settings. To remembered ports, free ones are added for what is new in the tree."""
    file = ports_file(data_dir)
    if file.exists():
        return _remembered(file)
    if not free:
        return Ports()
    chosen = Ports.free()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_text(chosen.model_dump_json(indent=1))
    return chosen


def _remembered(file: Path) -> Ports:
    told: dict[str, int] = json.loads(file.read_text())
    known = {name: port for name, port in told.items() if name in Ports.model_fields}
    if new := [name for name in Ports.model_fields if name not in known]:
        first = free_block(len(new))
        known |= {name: first + place for place, name in enumerate(new)}
        file.write_text(json.dumps(known, indent=1))
    return Ports.model_validate(known)


def default_data_dir() -> Path:
    """~/.local/share/lyceum, or below XDG_DATA_HOME if that is set."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "lyceum"


def default_cache_dir() -> Path:
    """~/.cache/lyceum, or below XDG_CACHE_HOME if that is set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lyceum"


class StackSettings(BaseSettings):
    """Settings for the user, each as LYCEUM_<NAME> in the environment."""

    model_config = SettingsConfigDict(env_prefix="LYCEUM_", frozen=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    cache_dir: Path = Field(default_factory=default_cache_dir)
    postgres_url: str | None = None
    """A PostgreSQL server to use: a URL of a role that may create roles and databases."""
    kafka_bootstrap: str | None = None
    """A Kafka broker to use: host:port."""
    tls: bool = False
    """Whether services, gateway and Kafka speak mutual TLS with each other, with certificates of this machine."""
    docker: bool = True
    """Whether to use Docker if an engine answers."""
    postgres_image: str = "postgres:18"
    kafka_image: str = "apache/kafka:4.4.0"

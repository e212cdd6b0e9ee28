"""Which PostgreSQL and which Kafka to use: an address from the environment, else Docker, else the embedded one."""

from typing import Literal

from lyceum_local import containers
from lyceum_local.settings import StackSettings

Choice = Literal["given", "docker", "embedded"]


def choose(given: str | None, settings: StackSettings) -> Choice:
    """The first available choice."""
    if given:
        return "given"
    if settings.docker and containers.engine_answers():
        return "docker"
    return "embedded"

"""The simulator's settings, read from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SimulatorSettings(BaseSettings):
    """The simulator's address, the folders of its key and its book, and the retry limits of callbacks."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    simulator_host: str = "127.0.0.1"
    simulator_port: int = 15090
    simulator_url: str = ""
    """Where buyers reach it, if that is not where it listens: in a container, say."""
    key_dir: Path
    data_dir: Path | None = None
    """The folder of its book, which is created if missing; by default beside its key."""
    auto_pay: bool = False
    callback_attempts: int = Field(default=6, ge=1, le=20)
    callback_first_pause_s: float = Field(default=0.2, gt=0)
    callback_timeout_s: float = Field(default=3.0, gt=0)

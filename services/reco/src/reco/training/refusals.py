"""What ends an export or a training with one sentence for the one who asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

ENVIRONMENT = "the image lyceum/reco-train has it, and deploy/local/scripts/training.sh makes an environment that does"


class TrainingRefused(Exception):
    """A wrong folder, file or argument, a bound that was passed, or a missing package; its text is one sentence."""


def needed(module: str, package: str) -> Any:
    """A module of a package that only the environment for training has. Raises `TrainingRefused` where it is absent."""
    try:
        return import_module(module)
    except ImportError as error:
        raise TrainingRefused(f"this needs {package}, which is not installed here: {ENVIRONMENT}") from error

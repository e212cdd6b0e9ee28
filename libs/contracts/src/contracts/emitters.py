"""The services that emit public events. Each has a module of typed events with its name, generated from its schemas."""

from __future__ import annotations

import pkgutil
from typing import Final

from contracts import events

EMITTERS: Final = tuple(sorted(module.name for module in pkgutil.iter_modules(events.__path__)))

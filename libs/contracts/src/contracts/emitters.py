"""The services that emit public events: each has a module of typed events under its name, made from its schemas."""

from __future__ import annotations

import pkgutil
from typing import Final

from contracts import events

EMITTERS: Final = tuple(sorted(module.name for module in pkgutil.iter_modules(events.__path__)))

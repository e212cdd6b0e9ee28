"""The slice of access."""

from __future__ import annotations

from typing import Final

from catalog.access.projections import GROUPS
from servicekit.slices import Slice

ACCESS: Final = Slice(groups=GROUPS)

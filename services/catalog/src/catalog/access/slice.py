"""The slice of access."""

from __future__ import annotations

from typing import Final

from catalog.access.projections import MIRROR
from eventfold import FoldGroup
from servicekit.slices import Slice

ACCESS: Final = Slice(groups=(FoldGroup("access", (MIRROR,)),))

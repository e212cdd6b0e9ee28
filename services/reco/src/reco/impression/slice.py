"""The slice of impressions."""

from __future__ import annotations

from typing import Final

from reco.impression.domain import EVENTS
from reco.impression.publication import to_public
from servicekit.slices import Slice

IMPRESSION: Final = Slice(events=EVENTS, to_public=to_public)

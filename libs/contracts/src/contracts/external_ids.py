"""Ids of imported things: functions of data set and external id, the same in every service and for ever."""

from __future__ import annotations

import json
import uuid
from typing import Literal

NAMESPACE = uuid.UUID("9f4a1c52-3f0e-5b6d-8a57-6f6d2b1d7e01")

Kind = Literal["member", "content", "interaction", "order"]


def imported_id(kind: Kind, dataset: str, external_id: str) -> str:
    """The id in Lyceum of the thing that `dataset` calls `external_id`. The same input gives the same id; different
    inputs never collide."""
    return str(uuid.uuid5(NAMESPACE, json.dumps([kind, dataset, external_id], ensure_ascii=False)))

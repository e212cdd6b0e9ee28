"""Ids of imported things: a public rule, so that anybody with the data set can compute them."""

from __future__ import annotations

import json
import uuid
from typing import Final

NAMESPACE: Final = uuid.UUID("9f4a1c52-3f0e-5b6d-8a57-6f6d2b1d7e01")


def imported_id(kind: str, dataset: str, external_id: str) -> str:
    """The id of a `member`, `content`, `interaction` or `order` of a data set."""
    return str(uuid.uuid5(NAMESPACE, json.dumps([kind, dataset, external_id], ensure_ascii=False)))

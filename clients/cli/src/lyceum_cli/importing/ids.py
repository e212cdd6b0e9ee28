"""The ids that imported things have in Lyceum: published, the same in every community and for ever."""

from __future__ import annotations

import json
import uuid
from typing import Final

NAMESPACE: Final = uuid.UUID("9f4a1c52-3f0e-5b6d-8a57-6f6d2b1d7e01")


def content_id(dataset: str, external_id: str) -> str:
    """The id of the content that `dataset` calls `external_id`; also the id under which it is sold."""
    return str(uuid.uuid5(NAMESPACE, json.dumps(["content", dataset, external_id], ensure_ascii=False)))

"""Where one-time codes go: an HTTP endpoint in production, a private file on a developer's machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import aiohttp
import orjson

from eventfold.errors import OutcomeUnknown

SEND_TIMEOUT_S = 5.0


class Notifier(Protocol):
    """Delivers a one-time code to its member."""

    async def send_code(self, member_id: str, username: str, code: str) -> None:
        """Deliver. Raises `OutcomeUnknown` if delivery is not certain, OSError if it failed."""


class FileNotifier:
    """Appends to a 0600 file, one JSON object per line. For the local profile only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send_code(self, member_id: str, username: str, code: str) -> None:
        """Append the code; a line is written at once or not at all."""
        line = orjson.dumps({"member_id": member_id, "username": username, "code": code}) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


class WebhookNotifier:
    """POSTs the code to the operator's messaging service."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def send_code(self, member_id: str, username: str, code: str) -> None:
        """Deliver within `SEND_TIMEOUT_S`."""
        timeout = aiohttp.ClientTimeout(total=SEND_TIMEOUT_S)
        body = {"member_id": member_id, "username": username, "code": code}
        try:
            async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
                await session.post(self._url, json=body)
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise OutcomeUnknown("notifier", type(failure).__name__) from failure

"""The accounts of the demonstration: its importer, its creator, and members who claim their accounts."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from lyceum_cli.errors import Refused
from lyceum_cli.gateway import Gateway
from lyceum_demo.errors import CodeMissing, CommandFailed
from lyceum_local.stack import LocalStack

IMPORTER: Final = "demo-importer"
CREATOR: Final = "demo-creator"
MEMBERS: Final = "demo-members"
"""Name of the password that all claimed accounts get."""
SPOOL: Final = "notifications.jsonl"
COMMAND_TIMEOUT_S: Final = 60.0
CODE_WAIT_S: Final = 5.0
CODE_POLL_S: Final = 0.02

Shown = Callable[[str, str], None]
"""Called with a username and the one-time code that arrived for it."""


def create_importer(stack: LocalStack) -> None:
    """Create the importer's account with identity's operator command; safe to repeat."""
    command = [sys.executable, "-m", "identity", "create-importer", "--username", IMPORTER, "--password-stdin"]
    ran = subprocess.run(
        command,
        input=stack.secrets.password(IMPORTER) + "\n",
        env={**os.environ, **stack.environment("identity")},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    if ran.returncode:
        raise CommandFailed("identity create-importer", ran.returncode, ran.stderr.strip())


async def log_in_creator(gateway: Gateway, password: str) -> None:
    """Register the creator through the public form, unless registered already, and log in."""
    form = {"username": CREATOR, "password": password, "role": "creator"}
    try:
        await gateway.post("/register", form, anonymous=True, form=True)
    except Refused as refusal:
        if refusal.status != HTTPStatus.CONFLICT:
            raise
    await gateway.log_in(CREATOR, password)


class Claims:
    """Claims imported accounts with the codes that identity writes to its spool on a developer's machine."""

    def __init__(self, spool: Path, password: str, shown: Shown) -> None:
        self._spool = spool
        self._password = password
        self._shown = shown

    async def log_in(self, gateway: Gateway, username: str) -> None:
        """Log in. An unclaimed account refuses this, so it is claimed first."""
        try:
            await gateway.log_in(username, self._password)
        except Refused as refusal:
            if refusal.status != HTTPStatus.UNAUTHORIZED:
                raise
            await self._claim(gateway, username)
            await gateway.log_in(username, self._password)

    async def _claim(self, gateway: Gateway, username: str) -> None:
        had = len(self._codes(username))
        await gateway.post("/v1/members:issueClaimCode", {"username": username}, anonymous=True)
        code = await self._code_after(had, username)
        self._shown(username, code)
        claim = {"username": username, "code": code, "password": self._password}
        await gateway.post("/v1/members:claim", claim, anonymous=True)

    async def _code_after(self, had: int, username: str) -> str:
        """The next code, which is delivered shortly after the answer. Raises `CodeMissing` after `CODE_WAIT_S`."""
        try:
            async with asyncio.timeout(CODE_WAIT_S):
                while len(found := self._codes(username)) <= had:  # noqa: ASYNC110 - identity writes the spool
                    await asyncio.sleep(CODE_POLL_S)
        except TimeoutError:
            raise CodeMissing(username, self._spool) from None
        return found[-1]

    def _codes(self, username: str) -> list[str]:
        lines = self._spool.read_text(encoding="utf-8").splitlines() if self._spool.exists() else []
        return [str(line["code"]) for line in map(json.loads, lines) if line["username"] == username]

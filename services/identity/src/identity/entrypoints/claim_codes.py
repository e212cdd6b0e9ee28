"""One-time codes are delivered after the answer, so that neither its text nor its time reveals whether there is an
account."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta

from eventfold import Context
from identity.adapters.notifier import Notifier
from identity.adapters.tokens import Hashes, new_code
from identity.application.accounts import Accounts
from identity.domain.member import Member
from identity.telemetry import CLAIM_CODES

log = logging.getLogger(__name__)

MAX_UNDER_WAY = 100
"""Number of codes issued and delivered at the same time; each takes up to the notifier's timeout."""


@dataclass(frozen=True)
class ClaimCodes:
    """Issues and delivers codes in tasks of the running loop. If the process stops meanwhile, the member asks for the
    code again."""

    accounts: Accounts
    hashes: Hashes
    notifier: Notifier
    lifetime: timedelta
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, member_id: str, member: Member, context: Context) -> None:
        """Begin. Never raises, never blocks. Above `MAX_UNDER_WAY` the code is dropped and counted."""
        if len(self.under_way) >= MAX_UNDER_WAY:
            CLAIM_CODES.labels("dropped").inc()
            return
        task = asyncio.create_task(self._counted(member_id, member, context))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _counted(self, member_id: str, member: Member, context: Context) -> None:
        try:
            await self._deliver(member_id, member, context)
        except Exception as failure:  # noqa: BLE001 - the caller must not learn of it; an operator does
            CLAIM_CODES.labels("failed").inc()
            log.error("code not delivered", extra={"member_id": member_id, "kind": type(failure).__name__})
        else:
            CLAIM_CODES.labels("sent").inc()

    async def _deliver(self, member_id: str, member: Member, context: Context) -> None:
        """Record the code, then deliver it: a delivered code is always valid."""
        username = (await self.accounts.open(member_id, member))["username"]
        code = new_code()
        if await self.accounts.issue_code(member_id, self.hashes.code(member_id, code), self.lifetime, context):
            await self.notifier.send_code(member_id, username, code)

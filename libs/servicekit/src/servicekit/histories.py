"""The history of a service's own store, as known to its processes."""

from __future__ import annotations

import asyncio

from eventfold import Connection, Pool
from eventfold.errors import HistoryRewritten
from eventfold.publish import history
from eventfold.publish.history import Histories
from eventfold.reading.consistency import Token

LOOK_EVERY_S = 5.0


class OwnHistory:
    """Kept up to date by `watch`. A token made between a change and the next look carries the previous mark, and may be
    stale."""

    def __init__(self) -> None:
        self._known: Histories = ()

    def mark(self) -> str:
        """The mark for present tokens; empty before the first look."""
        return self._known[-1].mark if self._known else ""

    async def watch(self, pool: Pool) -> None:
        """Look again and again, until cancelled."""
        while True:
            async with pool.connection() as conn:
                self._known = await history.load(conn)
            await asyncio.sleep(LOOK_EVERY_S)

    async def check(self, conn: Connection, token: Token) -> None:
        """Raise `HistoryRewritten` if the token's event is gone. Asks the database only for a token of another history
        than the present one."""
        if token.history in ("", self.mark()):
            return
        self._known = await history.load(conn)
        if not history.holds_position(self._known, token.history, token.position):
            raise HistoryRewritten(token.service, token.position)

    def is_present(self, token: Token) -> bool:
        """Whether the token is from the present history."""
        return token.history in ("", self.mark())

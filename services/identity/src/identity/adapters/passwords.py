"""Argon2id in a bounded pool of threads, and the list of forbidden passwords."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from eventfold.errors import Exhausted
from servicekit.limits import Buckets

CONCURRENT_HASHES = 2
"""Each hash takes 19 MiB and about 50 ms of a core; the bound keeps a flood of log-ins from overloading the machine."""
BURST_ATTEMPTS = 10
ATTEMPTS_PER_S = 1.0
STRANGERS_BURST = 30
STRANGERS_PER_S = 0.2
"""Of one name, by all clients together from which its owner has not been seen."""
REMEMBERED_NAMES = 10_000


def common_passwords() -> frozenset[str]:
    """The most used passwords (zxcvbn's list, about 30,000)."""
    return frozenset(FREQUENCY_LISTS["passwords"])


class Passwords:
    """Hashes and verifies without blocking the event loop (OWASP: t=2, m=19 MiB, p=1)."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(CONCURRENT_HASHES, thread_name_prefix="argon2")
        self._dummy = self._hasher.hash("a password that nobody has")

    async def hash(self, password: str) -> str:
        """The encoded hash with its parameters and salt."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether the password matches. Without a hash it takes as long and returns False."""
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._threads, self._fits, encoded or self._dummy, password)
        return fits and encoded is not None

    def outdated(self, encoded: str) -> bool:
        """Whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def _fits(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except VerificationError:
            return False


TOO_MANY = "too many attempts for this account; wait a few seconds 尝试过于频繁"


class TooManyAttempts(Exhausted):
    """Log-in attempts for this name arrive faster than a person types."""

    code = "TOO_MANY_ATTEMPTS"


class AttemptLimiter:
    """Slows guessing down, for each name and client (an address), and more so for a name over all clients together.
    Never locks an account: a client from which its owner got in before is not slowed by what others try.

    Kept in memory for the last `REMEMBERED_NAMES` names; with n replicas the rates are n times as high.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of_client = Buckets(BURST_ATTEMPTS, ATTEMPTS_PER_S, REMEMBERED_NAMES)
        self._of_strangers = Buckets(STRANGERS_BURST, STRANGERS_PER_S, REMEMBERED_NAMES)
        self._known: OrderedDict[str, None] = OrderedDict()

    def take(self, name: str, client: str) -> None:
        """Count a guess at a password. Raises `TooManyAttempts`; refused attempts cost nothing, so that a flood of them
        does not keep the owner's own from ever getting through."""
        self.take_of_client(name, client)
        if f"{client}|{name}" not in self._known and self._of_strangers.missing_s(name, self._clock()):
            raise TooManyAttempts(TOO_MANY)

    def take_of_client(self, name: str, client: str) -> None:
        """Count an attempt at what cannot be guessed: only the client that tries is slowed. Raises
        `TooManyAttempts`."""
        if self._of_client.missing_s(f"{client}|{name}", self._clock()):
            raise TooManyAttempts(TOO_MANY)

    def succeeded(self, name: str, client: str) -> None:
        """The owner got in from this client."""
        self._known[f"{client}|{name}"] = None
        self._known.move_to_end(f"{client}|{name}")
        if len(self._known) > REMEMBERED_NAMES:
            self._known.popitem(last=False)

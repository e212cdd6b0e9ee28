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

CONCURRENT_HASHES = 2
"""Each hash takes 19 MiB and about 50 ms of a core; the bound keeps a flood of log-ins from overloading the machine."""
BURST_ATTEMPTS = 10
ATTEMPTS_PER_S = 1.0
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


class TooManyAttempts(Exhausted):
    """Log-in attempts for this name arrive faster than a person types."""

    code = "TOO_MANY_ATTEMPTS"


class AttemptLimiter:
    """Limits guesses to `ATTEMPTS_PER_S` per name after a burst, and never locks an account.

    Counts are in memory for the last `REMEMBERED_NAMES` names; with n replicas the rate is n times as high.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Count an attempt. Raises `TooManyAttempts`. Refused attempts do not count, so a flood of them cannot lock the
        owner out."""
        now = self._clock()
        tokens, at = self._buckets.pop(name, (float(BURST_ATTEMPTS), now))
        tokens = min(BURST_ATTEMPTS, tokens + (now - at) * ATTEMPTS_PER_S)
        self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
        while len(self._buckets) > REMEMBERED_NAMES:
            self._buckets.popitem(last=False)
        if tokens < 1:
            raise TooManyAttempts("too many attempts for this account; wait a few seconds 尝试过于频繁")

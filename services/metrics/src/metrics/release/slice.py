"""The slice of private releases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from metrics.reading import postgres_look
from metrics.release.application import Releasing
from metrics.release.budgets import Budgets
from metrics.release.domain import budget, release
from metrics.release.noise.process import NoiseProcess
from metrics.release.projections import GROUPS
from metrics.release.publication import to_public
from metrics.release.queries import Tables
from metrics.release.rpc import POLICIES, ReleaseRpcs
from metrics.release.settings import terms_of
from servicekit.background import Work
from servicekit.definition import Wiring
from servicekit.slices import Slice


class Shared:
    """The noise process of this process, made once for its wiring."""

    def __init__(self) -> None:
        self._made: tuple[Wiring, NoiseProcess] | None = None

    def noise(self, wiring: Wiring) -> NoiseProcess:
        """The noise process. It starts when it is first needed, and ends with the wiring's resources."""
        if self._made is None or self._made[0] is not wiring:
            self._made = wiring, NoiseProcess()
            wiring.closing.add("noise", self._made[1].aclose)
        return self._made[1]

    def rpcs(self, wiring: Wiring) -> ReleaseRpcs:
        """What the slice serves."""
        zone = wiring.settings.zone
        tables = Tables(postgres_look(wiring.queries, zone))
        releasing = Releasing(wiring.store, tables, self.noise(wiring))
        return ReleaseRpcs(releasing, tables, Budgets(wiring.store, wiring.queries), terms_of(wiring.settings), zone)

    def background(self, wiring: Wiring) -> Mapping[str, Work]:
        """Keeps the noise process ready."""
        return {"noise": self.noise(wiring).run}


SHARED: Final = Shared()

RELEASE: Final = Slice(
    events={**budget.EVENTS, **release.EVENTS},
    to_public=to_public,
    groups=GROUPS,
    policies=POLICIES,
    rpcs=SHARED.rpcs,
    background=SHARED.background,
)

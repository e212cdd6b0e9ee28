"""The slice of deliveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final

from eventfold.fold.sweeping import keep_swept
from notifications.delivery.addressing import Addresser
from notifications.delivery.asking import Asking
from notifications.delivery.domain import UNTOLD_DAYS
from notifications.delivery.noting import Noter
from notifications.delivery.posting import Poster
from notifications.delivery.projections import GROUPS, HAPPENED_TABLE
from notifications.delivery.queries import Deliveries
from notifications.delivery.rpc import POLICIES, DeliveryRpcs
from notifications.delivery.sending import Sender
from notifications.delivery.sweeping import ROWS, Sweeper
from notifications.delivery.taking import Lane
from notifications.delivery.telling import Teller
from notifications.delivery.watching import watch
from notifications.guard import Guard
from notifications.settings import NotificationsSettings
from notifications.telemetry import SWEPT
from servicekit.background import Work
from servicekit.definition import Wiring
from servicekit.leading import holder
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> DeliveryRpcs:
    """What the slice serves."""
    return DeliveryRpcs(wiring.store, Deliveries(wiring.queries), Asking(wiring.pool))


def background(wiring: Wiring) -> Mapping[str, Work]:
    """The watch over what is late, beside each server."""
    return {"watch over webhooks": partial(watch, wiring.queries)}


def sending(wiring: Wiring) -> Mapping[str, Work]:
    """The work of the role that sends."""
    swept = partial(
        keep_swept,
        wiring.pool,
        HAPPENED_TABLE,
        keep_days=UNTOLD_DAYS,
        limit_rows=ROWS,
        swept=SWEPT.labels("happened").inc,
    )
    return {
        "sender": sender(wiring).run,
        "sweeper": Sweeper(wiring.pool, wiring.store, _now).run,
        "sweeper of what happened": swept,
    }


def _now() -> datetime:
    return datetime.now(UTC)


def places(in_flight: int) -> Mapping[Lane, int]:
    """How many requests each lane may have under way: half of them go to endpoints that answer."""
    return {"fast": in_flight // 2, "new": in_flight // 4, "slow": in_flight // 4}


def sender(wiring: Wiring, clock: Callable[[], datetime] = _now) -> Sender:
    """A sender of this process; what it opens is closed with the process."""
    settings: NotificationsSettings = wiring.settings
    guard = Guard(allow_local=settings.webhooks_allow_local)
    poster = Poster(guard, allow_local=settings.webhooks_allow_local)
    wiring.closing.add("http of webhooks", poster.close)
    return Sender(
        holder=holder(),
        connect=wiring.connect,
        store=wiring.store,
        addresser=Addresser(wiring.store, wiring.subject_keys),
        teller=Teller(wiring.connect, clock),
        noter=Noter(wiring.pool, wiring.rng.random),
        poster=poster,
        clock=clock,
        places=places(settings.webhooks_in_flight),
    )


DELIVERY: Final = Slice(groups=GROUPS, policies=POLICIES, rpcs=rpcs, background=background, further={"send": sending})

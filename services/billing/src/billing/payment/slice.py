"""The slice of payments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import aiohttp

from billing.payment.application import Paying
from billing.payment.domain import EVENTS
from billing.payment.providers import configured
from billing.payment.publication import to_public
from billing.payment.reconciling import Reconciler
from billing.payment.rpc import POLICIES, PaymentRpcs
from servicekit.background import Work
from servicekit.definition import Wiring
from servicekit.leading import due_worker
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> PaymentRpcs:
    """What the slice serves."""
    return PaymentRpcs(_paying(wiring, "http of callbacks"))


def background(wiring: Wiring) -> Mapping[str, Work]:
    """The worker that asks after open payments."""
    expires_after = timedelta(seconds=wiring.settings.payment_expires_after_s)
    reconciler = Reconciler(_paying(wiring, "http of the reconciler").provider, expires_after)
    return {"reconciler": due_worker(wiring, [reconciler.handler]).run}


def _paying(wiring: Wiring, connections: str) -> Paying:
    """Payments through the configured providers, over connections of their own, of that name."""
    http = aiohttp.ClientSession()
    wiring.closing.add(connections, http.close)
    return Paying(wiring.store, wiring.pool, configured(http, wiring.settings.public_url))


PAYMENT: Final = Slice(events=EVENTS, to_public=to_public, policies=POLICIES, rpcs=rpcs, background=background)

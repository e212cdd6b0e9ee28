"""Amounts of money: integers of a currency's minor unit, never floats."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events import billing as public

BPS_WHOLE = 10_000
MAX_AMOUNT_MINOR = 10**12
"""Largest amount of one order; the sum of nine million such orders still fits a signed 64-bit integer."""


@dataclass(frozen=True, slots=True)
class Money:
    """`amount_minor` minor units (fen, cents) of an ISO 4217 currency."""

    amount_minor: int
    currency: str


def share_bps(amount_minor: int, bps: int) -> int:
    """The part of `amount_minor` that `bps` basis points are, rounded down: the remainder stays with the rest."""
    return amount_minor * bps // BPS_WHOLE


def told(money: Money) -> public.Money:
    """The amount as public events tell it."""
    return {"amount_minor": money.amount_minor, "currency": money.currency}

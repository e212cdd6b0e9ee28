"""What a cell of a table holds, before it is written in a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeAlias

import iso4217


@dataclass(frozen=True, slots=True)
class Label:
    """A text of the catalogue."""

    key: str
    fields: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """A text as it came from outside."""

    text: str


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day of the platform's zone."""

    day: date


@dataclass(frozen=True, slots=True)
class Count:
    """A number of things."""

    count: int


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of something for each of something else."""

    rate: float


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, 0 to 1."""

    share: float


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of a currency (fen, cents); means may have parts of them."""

    amount_minor: int | float
    currency: str

    @property
    def digits(self) -> int:
        """Digits behind the point of the currency's unit, as ISO 4217 has them; 2 for what it does not know."""
        try:
            known = iso4217.Currency(self.currency).exponent
        except ValueError:
            return 2
        return 0 if known is None else int(known)

    @property
    def amount(self) -> Decimal:
        """In the currency's own unit, to the minor unit."""
        return (Decimal(self.amount_minor).quantize(Decimal(1))).scaleb(-self.digits)


@dataclass(frozen=True, slots=True)
class Missing:
    """There is not enough data to say."""


Value: TypeAlias = Label | Raw | Day | Count | Rate | Share | Money | Missing


def rate(found: float | None) -> Value:
    """A rate, or that there is none."""
    return Missing() if found is None else Rate(found)


def share(found: float | None) -> Value:
    """A share, or that there is none."""
    return Missing() if found is None else Share(found)

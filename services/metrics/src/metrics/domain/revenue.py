"""Revenue: R = N*C*P, exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

FORMULA_REVENUE = (
    "R(t) = N*C*P; N: members registered by the window's end; payers: distinct members with at least one paid order "
    "above 0 in the window; C = revenue/payers, the mean spend per payer; P = payers/N; revenue: what these orders "
    "charged, in one currency"
)


@dataclass(frozen=True, slots=True)
class Revenue:
    """Members, payers and what they paid, in minor units of one currency."""

    members: int
    payers: int
    revenue_minor: int

    @property
    def mean_spend_minor(self) -> Fraction:
        """C, exactly; 0 without payers."""
        return Fraction(self.revenue_minor, self.payers) if self.payers else Fraction(0)

    @property
    def conversion(self) -> Fraction:
        """P, exactly; 0 without members."""
        return Fraction(self.payers, self.members) if self.members else Fraction(0)

    @property
    def product_minor(self) -> Fraction:
        """N*C*P: equals the revenue wherever there are members."""
        return self.members * self.mean_spend_minor * self.conversion

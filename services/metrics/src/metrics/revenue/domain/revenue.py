"""Revenue: R = N*C*P, exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

FORMULA_REVENUE = (
    "R(t) = N*C*P; N: members registered by the window's end; payers: distinct members with at least one paid order "
    "above 0 in the window; C = revenue/payers, the mean spend per payer; P = payers/N; revenue: what these orders "
    "charged, in one currency"
)

FORMULA_TREND = (
    "paid orders by the day of payment, in one currency: gross (list prices) - discount = charged = commission (what "
    "the platform keeps: charged * basis points / 10,000, rounded down for each order) + net (what creators get); "
    "payers: distinct members with a paid order above 0; members: accounts of consumers and creators registered by "
    "the period's end; per member (ARPU) = charged / members; per payer (ARPPU) = charged / payers"
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


@dataclass(frozen=True, slots=True)
class Earned:
    """Paid orders of a period; amounts in minor units of one currency."""

    orders: int = 0
    payers: int = 0
    gross_minor: int = 0
    discount_minor: int = 0
    charged_minor: int = 0
    commission_minor: int = 0

    @property
    def net_minor(self) -> int:
        """What the creators get."""
        return self.charged_minor - self.commission_minor

    @property
    def per_payer_minor(self) -> float:
        """ARPPU; 0 without payers."""
        return self.charged_minor / self.payers if self.payers else 0.0

    def per_member_minor(self, members: int) -> float:
        """ARPU; 0 without members."""
        return self.charged_minor / members if members else 0.0

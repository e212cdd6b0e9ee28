"""Amounts in major units (12.90 yuan) as whole minor ones (1290 fen), exactly."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from iso4217 import Currency

_ENDED: Final = {
    0: "ADP BEF BYR ESP GRD ITL LUF MGF PTE ROL TPE TRL",
    2: "AFA ANG ATS AZM BGN CSD CUC CYP DEM EEK FIM FRF GHC HRK IEP LTL LVL MRO MTL MZM NLG SDD SIT SKK SLL SRG STD "
    "TMM VEB VEF YUM ZMK ZWD ZWL ZWR",
}
EXPONENTS: Final = {
    **{code: decimals for decimals, codes in _ENDED.items() for code in codes.split()},
    **{one.code: one.exponent for one in Currency if one.exponent is not None},
}
"""Decimals of the currencies of ISO 4217, and of those that have ended since 2001: past orders are in them. Whether an
order is from before the end, the gateway says."""
_AMOUNT: Final = re.compile(r"-?[0-9]{1,17}(\.[0-9]{1,10})?")


class NoAmount(ValueError):
    """A text is no amount of its currency."""


def minor(text: str, currency: str) -> str:
    """`12.90` of CNY as `1290`. Raises `NoAmount` for anything else than digits with a point, for more decimals than
    the currency has, and for a currency that is not known."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise NoAmount("is of a currency whose decimals are not known: give minor units")
    if not _AMOUNT.fullmatch(text):
        raise NoAmount("is no amount like 12.90")
    if len(text.partition(".")[2]) > exponent:
        raise NoAmount(f"has more decimals than the {exponent} of its currency")
    return str(int(Decimal(text).scaleb(exponent)))

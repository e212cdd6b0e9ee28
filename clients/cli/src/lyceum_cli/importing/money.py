"""Amounts in major units (12.90 yuan) as whole minor ones (1290 fen), exactly."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_DECIMALS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
    "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
    "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE "
    "SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW "
    "ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final = {code: decimals for decimals, codes in _DECIMALS.items() for code in codes.split()}
"""Decimals of the currencies of ISO 4217."""
_AMOUNT: Final = re.compile(r"-?[0-9]{1,17}(\.[0-9]{1,10})?")


class NoAmount(ValueError):
    """A text is no amount of its currency."""


def minor(text: str, currency: str) -> str:
    """`12.90` of CNY as `1290`. Raises `NoAmount` for anything else than digits with a point, for more decimals than
    the currency has, and for a currency that ISO 4217 does not list."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise NoAmount("is of a currency whose decimals are not known: give minor units")
    if not _AMOUNT.fullmatch(text):
        raise NoAmount("is no amount like 12.90")
    if len(text.partition(".")[2]) > exponent:
        raise NoAmount(f"has more decimals than the {exponent} of its currency")
    return str(int(Decimal(text).scaleb(exponent)))

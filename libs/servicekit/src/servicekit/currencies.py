"""The currencies of ISO 4217: those in use, from the package `iso4217`, and those that have ended since 2001."""

from __future__ import annotations

from datetime import date
from typing import Final

from iso4217 import Currency

IN_USE: Final = frozenset(one.code for one in Currency if one.exponent is not None)
"""With minor units: no metal, fund or test code."""

_ENDED: Final = """
2001-12-31 ADP
2002-02-09 IEP
2002-02-17 FRF
2002-02-28 ATS BEF DEM ESP FIM GRD ITL LUF NLG PTE
2002-05-15 YUM
2002-05-20 TPE
2002-12-31 AFA
2003-12-31 SRG
2004-12-31 MGF
2005-12-31 TRL
2006-10-25 CSD
2006-12-31 AZM MZM ROL
2007-01-14 SIT
2007-06-30 SDD
2007-12-31 GHC
2008-01-31 CYP MTL
2008-06-30 VEB
2008-08-01 ZWD
2009-01-01 TMM
2009-01-16 SKK
2009-02-02 ZWR
2011-01-14 EEK
2013-01-01 ZMK
2014-01-14 LVL
2015-01-15 LTL
2017-01-01 BYR
2017-12-31 STD
2018-06-30 MRO
2018-08-20 VEF
2021-06-01 CUC
2023-01-14 HRK
2023-12-31 SLL
2024-08-31 ZWL
2025-06-30 ANG
2026-01-31 BGN
"""
ENDED: Final = {
    code: date.fromisoformat(day)
    for day, *codes in (line.split() for line in _ENDED.split("\n") if line)
    for code in codes
}
"""The last day of each as legal tender, beside its successor too (Unicode CLDR, supplemental currency data; for the
euro's predecessors the end of dual circulation). No order that moves in is likely to be older than the table."""


def is_currency(code: str, since: date | None = None) -> bool:
    """Whether a currency is in use; with `since`, whether it was on that day or is at any later time."""
    return code in IN_USE or (since is not None and code in ENDED and since <= ENDED[code])

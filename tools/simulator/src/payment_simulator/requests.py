"""Turns requests into payments. Every field is checked, and an error names the wrong field."""

from __future__ import annotations

from typing import Any, cast

from payment_simulator.book import ALTERATIONS, MAX_AMOUNT_MINOR, MAX_TEXT_CHARS, Alteration, Faults, Payment, Refused

MAX_COPIES = 100
MAX_DELAY_MS = 600_000


def payment(data: Any) -> Payment:
    """A payment to create. Raises `Refused`."""
    if not isinstance(data, dict):
        raise Refused("must be a JSON object", "body")
    return Payment(
        merchant_number=_text(data, "merchant_number"),
        amount_minor=_integer(data, "amount_minor", 1, MAX_AMOUNT_MINOR),
        currency=_text(data, "currency"),
        callback_url=_text(data, "callback_url"),
        faults=faults(data.get("faults", {})),
    )


def faults(data: Any) -> Faults:
    """The faults to set for callbacks. Raises `Refused`."""
    if not isinstance(data, dict) or set(data) - {"lose", "copies", "delay_ms", "alter", "fail"}:
        raise Refused("may hold lose, copies, delay_ms, alter, fail", "faults")
    alter = data.get("alter", "none")
    if alter not in ALTERATIONS:
        raise Refused(f"must be one of {', '.join(ALTERATIONS)}", "faults.alter")
    return Faults(
        lose=bool(data.get("lose", False)),
        copies=_integer({"faults.copies": data.get("copies", 1)}, "faults.copies", 1, MAX_COPIES),
        delay_ms=_integer({"faults.delay_ms": data.get("delay_ms", 0)}, "faults.delay_ms", 0, MAX_DELAY_MS),
        alter=cast(Alteration, alter),
        fail=bool(data.get("fail", False)),
    )


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT_CHARS:
        raise Refused(f"must be a text of 1 to {MAX_TEXT_CHARS} characters", name)
    return value


def _integer(data: dict[str, Any], name: str, low: int, high: int) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(f"must be an integer from {low} to {high}", name)
    return value

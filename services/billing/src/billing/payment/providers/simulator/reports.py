"""What the simulator says of a payment, read from its JSON; the same form in answers and in callbacks."""

from __future__ import annotations

from typing import Any, Literal

import orjson

from billing.money import MAX_AMOUNT_MINOR, Money
from billing.payment.provider import Report, UnreadableCallback

_STATUS: dict[str, Literal["pending", "paid", "failed"]] = {"pending": "pending", "paid": "paid", "failed": "failed"}
MAX_TEXT_CHARS = 200


def payment_report(body: bytes) -> Report:
    """The report in `body`. Raises `UnreadableCallback` naming the field that is not as it must be."""
    try:
        data = orjson.loads(body)  # which has a limit of depth of its own
    except ValueError as failure:
        raise UnreadableCallback("must be JSON", field="payload") from failure
    if not isinstance(data, dict):
        raise UnreadableCallback("must be a JSON object", field="payload")
    status = _STATUS.get(_text(data, "status"))
    if status is None:
        raise UnreadableCallback("must be pending, paid or failed", field="status")
    return Report(
        merchant_number=_text(data, "merchant_number"),
        status=status,
        amount=Money(_integer(data, "amount_minor"), _text(data, "currency")),
        provider_reference=_text(data, "provider_reference", required=status == "paid"),
        reason=_text(data, "reason", required=False),
    )


def _text(data: dict[str, Any], name: str, *, required: bool = True) -> str:
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS or (required and not value) or "\x00" in value:
        raise UnreadableCallback(f"must be a text of at most {MAX_TEXT_CHARS} characters without NUL", field=name)
    return value


def _integer(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_AMOUNT_MINOR:
        raise UnreadableCallback(f"must be an integer from 0 to {MAX_AMOUNT_MINOR}", field=name)
    return value

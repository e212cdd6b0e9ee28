"""Fields that requests and answers of several slices have, each checked and named when it is wrong."""

from __future__ import annotations

from datetime import date

from billing.money import MAX_AMOUNT_MINOR, Money
from eventfold.errors import InvalidInput
from lyceum.common.v1 import common_pb2
from servicekit import validate

MAX_ID_CHARS = 200


def identifier(value: str, field: str) -> str:
    """An id: 1 to `MAX_ID_CHARS` characters."""
    return validate.text(value, field, max_chars=MAX_ID_CHARS)


def optional_identifier(value: str, field: str) -> str | None:
    """An id, or None where the field is empty."""
    return identifier(value, field) if value else None


def money(value: common_pb2.Money, field: str, since: date | None = None) -> Money:
    """An amount from 0 to `MAX_AMOUNT_MINOR` of a currency that is in use, or was on the day `since`. One that is not
    said is refused, and is not 0."""
    if not value.HasField("amount_minor"):
        raise InvalidInput("must be set", field=f"{field}.amount_minor")
    amount_minor = validate.between(value.amount_minor, f"{field}.amount_minor", 0, MAX_AMOUNT_MINOR)
    return Money(amount_minor, validate.currency(value.currency, f"{field}.currency", since))


def amount(amount_minor: int, currency: str) -> common_pb2.Money:
    """An amount on the wire."""
    return common_pb2.Money(amount_minor=amount_minor, currency=currency)

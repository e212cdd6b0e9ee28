"""The provider's own book of merchants' requests and buyers' actions. Each is on disk before it is answered."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from payment_simulator.pages import Pages

MAX_PAYMENTS = 1_000_000
MAX_AMOUNT_MINOR = 10**15
MAX_TEXT_CHARS = 2048
_NAMESPACE = uuid.UUID("6a0c5f0e-4d5a-5a3e-8f0e-1c8e0d2b9f11")

Alteration = Literal["none", "amount", "body", "signature"]
ALTERATIONS: tuple[Alteration, ...] = ("none", "amount", "body", "signature")


class Refused(Exception):
    """A request is invalid or contradicts the book; `field` names the wrong field."""

    def __init__(self, message: str, field: str, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.status = status


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of a payment's callbacks.

    `lose`: none is sent. `copies`: number of copies sent of each. `delay_ms`: their delay. `alter`: the amount differs
    (with a valid signature), or body or signature are corrupted after signing. `fail`: paying fails.
    """

    lose: bool = False
    copies: int = 1
    delay_ms: int = 0
    alter: Alteration = "none"
    fail: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the provider sees it; `status` is pending, paid or failed."""

    merchant_number: str
    amount_minor: int
    currency: str
    callback_url: str
    faults: Faults
    status: Literal["pending", "paid", "failed"] = "pending"
    reason: str = ""

    @property
    def provider_reference(self) -> str:
        """The provider's own number of the payment, once it is paid."""
        return uuid.uuid5(_NAMESPACE, self.merchant_number).hex if self.status == "paid" else ""

    def report(self) -> dict[str, Any]:
        """The report for the merchant, in answers and in callbacks."""
        return {
            "merchant_number": self.merchant_number,
            "status": self.status,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "provider_reference": self.provider_reference,
            "reason": self.reason,
        }


class Book:
    """All payments by merchant number, at most `MAX_PAYMENTS`. Every operation may be repeated.

    The result of an operation is on disk when it returns, and survives a kill or a power loss. Operations block for a
    write to disk.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def create(self, wanted: Payment) -> Payment:
        """A new payment, or the existing payment of that number. Raises `Refused` if that one has another amount."""
        known = self._known(wanted.merchant_number)
        if known is None:
            if self._pages.count() >= MAX_PAYMENTS:
                raise Refused("the book is full", "merchant_number", 507)
            known = self._keep(wanted)
        if (known.amount_minor, known.currency) != (wanted.amount_minor, wanted.currency):
            raise Refused("the number stands for another amount", "merchant_number", 409)
        return known

    def get(self, merchant_number: str) -> Payment:
        """The payment of a number. Raises `Refused` (404)."""
        known = self._known(merchant_number)
        if known is None:
            raise Refused("no payment of this number", "merchant_number", 404)
        return known

    def pay(self, merchant_number: str) -> Payment:
        """The buyer pays (or fails, if the fault is set). Raises `Refused` for a payment that has failed."""
        payment = self.get(merchant_number)
        if payment.status == "failed" and not payment.faults.fail:
            raise Refused("the payment is closed", "merchant_number", 409)
        if payment.status == "pending":
            failing = payment.faults.fail
            reason = "the buyer's bank refused" if failing else ""
            return self._keep(replace(payment, status="failed" if failing else "paid", reason=reason))
        return payment

    def close(self, merchant_number: str) -> Payment:
        """Stop waiting for the buyer; a paid payment stays paid."""
        payment = self.get(merchant_number)
        if payment.status == "pending":
            return self._keep(replace(payment, status="failed", reason="closed"))
        return payment

    def misbehave(self, merchant_number: str, faults: Faults) -> Payment:
        """Set the faults of a payment's callbacks."""
        return self._keep(replace(self.get(merchant_number), faults=faults))

    def totals(self) -> dict[str, dict[str, dict[str, int]]]:
        """Status, then currency, to number of payments and sum of amounts."""
        sums: dict[str, dict[str, dict[str, int]]] = {}
        for status, currency, payments, amount_minor in self._pages.sums():
            sums.setdefault(status, {})[currency] = {"payments": payments, "amount_minor": amount_minor}
        return sums

    def _known(self, merchant_number: str) -> Payment | None:
        row = self._pages.read(merchant_number)
        return None if row is None else Payment(**{**row, "faults": Faults(**row["faults"])})

    def _keep(self, payment: Payment) -> Payment:
        self._pages.write(asdict(payment))
        return payment

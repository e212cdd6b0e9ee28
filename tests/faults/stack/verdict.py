"""Checks that all services agree with the journal. Each answer is a sentence about a difference."""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from collections.abc import Callable, Iterable

from contracts.emitters import EMITTERS
from eventfold.vocabulary.decider import event_id
from lyceum_local.settings import SERVICES
from tests.faults.keeper import until
from tests.faults.stack.load import PRICE_MINOR
from tests.faults.stack.product import PREFIX, Product
from tests.faults.stack.topics import read

SHOWN = 3
"""Number of differences that are named."""
AGREE_S, DOCTOR_S = 120.0, 60.0


def differences(product: Product) -> list[str]:
    """The present differences, cheapest check first; empty if everything agrees."""
    checks: list[Callable[[Product], list[str]]] = [members, contents, counters, orders, entitlements, ledger, metrics]
    found = [text for check in checks for text in check(product)]
    return found or topics(product)


def agreed(product: Product, within_s: float = AGREE_S) -> list[str]:
    """Wait until nothing differs; returns the differences that remain at the end."""
    found: list[str] = []

    def same() -> bool:
        found[:] = differences(product)
        return not found

    until(same, within_s, 0.5)
    return found


def members(product: Product) -> list[str]:
    """Each registered member has one stream and one row in the directory, and there are no others."""
    wanted = [act.ids["member_id"] for act in product.load.journal.standing("member")]
    stored = product.rows("identity", "SELECT stream FROM events WHERE type = 'member.registered'")
    listed = product.rows("identity", "SELECT member_id FROM member_directory")
    return [
        *_compare("members", [f"member-{one}" for one in wanted], [row[0] for row in stored]),
        *_compare("members in the directory", wanted, [row[0] for row in listed]),
    ]


def contents(product: Product) -> list[str]:
    """Each published item is once in the store and once in the feed."""
    wanted = [act.ids["content_id"] for act in product.load.journal.standing("content")]
    stored = product.rows("catalog", "SELECT stream FROM events WHERE type = 'content.published'")
    shown = product.rows("catalog", "SELECT content_id FROM content_index")
    return [
        *_compare("contents in the store", [f"content-{one}" for one in wanted], [row[0] for row in stored]),
        *_compare("contents in the feed", wanted, [row[0] for row in shown]),
    ]


def counters(product: Product) -> list[str]:
    """The counters equal a recount of the views."""
    wanted = Counter(act.on for act in product.load.journal.standing("view"))
    shown = dict(product.rows("catalog", "SELECT content_id, views FROM content_counter WHERE views <> 0"))
    return _compare("views", wanted.items(), shown.items())


def orders(product: Product) -> list[str]:
    """Exactly the acknowledged orders are paid."""
    wanted = [act.ids["order_id"] for act in product.load.journal.standing("order")]
    rows = product.rows("billing", "SELECT order_id FROM order_book WHERE paid_at IS NOT NULL")
    return _compare("paid orders", wanted, [row[0] for row in rows])


def entitlements(product: Product) -> list[str]:
    """Each paid order has one entitlement, no entitlement is without payment, and catalog decides access by the same
    entitlements."""
    wanted = [(act.ids["member_id"], act.on) for act in product.load.journal.standing("order")]
    granted = product.rows("billing", "SELECT member_id, product_id FROM entitlement")
    mirrored = product.rows("catalog", "SELECT member_id, product_id FROM access_mirror")
    return [*_compare("entitlements", wanted, granted), *_compare("entitlements in the catalog", wanted, mirrored)]


def ledger(product: Product) -> list[str]:
    """The ledger holds exactly the paid orders, and its trial balance is zero."""
    paid = len(product.load.journal.standing("order"))
    debits = "SELECT coalesce(sum(amount_minor), 0) FROM posting WHERE account = 'provider_clearing:simulator'"
    sums = "SELECT coalesce(sum(amount_minor), 0), count(DISTINCT order_id) FROM posting"
    balances = "SELECT coalesce(sum(debit_minor - credit_minor), 0) FROM account_balance"
    found = [*product.rows("billing", debits), *product.rows("billing", sums), *product.rows("billing", balances)]
    wanted = [(paid * PRICE_MINOR,), (0, paid), (0,)]
    return [] if found == wanted else [f"ledger: {found} instead of {wanted}"]


def metrics(product: Product) -> list[str]:
    """The service metrics has counted the same orders."""
    wanted = [act.ids["order_id"] for act in product.load.journal.standing("order")]
    rows = product.rows("metrics", "SELECT order_id FROM placed_order WHERE paid_at IS NOT NULL")
    return _compare("orders in metrics", wanted, [row[0] for row in rows])


# The id of an event that got its `seq` in a later history of its store contains that history's nonce.
_PUBLISHED = """SELECT stream, version, coalesce((SELECT nonce FROM history
  WHERE number > 1 AND first_seq <= seq ORDER BY number DESC LIMIT 1), '')
FROM events LEFT JOIN event_sequence USING (position) WHERE public_value IS NOT NULL"""


def topics(product: Product) -> list[str]:
    """Each event of a store with a public form is on its topic once, in order, and the topics hold nothing else."""
    return [text for service in EMITTERS for text in _topics(product, service)]


def _topics(product: Product, service: str) -> list[str]:
    declared = importlib.import_module(f"{service}.bootstrap").DEFINITION.topics
    names = [PREFIX + topic for topic in declared]
    found = asyncio.run(read(product.stack.brokers, product.stack.database_url(service), names))
    wanted = [str(event_id(*row)) for row in product.rows(service, _PUBLISHED)]
    said = _compare(f"{service}'s topics", wanted, [one for topic in found.values() for one in topic.ids])
    return said + [f"{name}: {one.disorder} events out of order" for name, one in found.items() if one.disorder]


def doctors(product: Product) -> list[str]:
    """The broken parts that `doctor` still reports after `DOCTOR_S`."""
    found: list[str] = []

    def well() -> bool:
        answers = {service: product.ops(service, "doctor") for service in SERVICES}
        found[:] = [
            f"{service}: {line}"
            for service, (status, said) in answers.items()
            if status
            for line in said.splitlines()
            if line.startswith("broken")
        ]
        return not any(status for status, _ in answers.values())

    until(well, DOCTOR_S, 1.0)
    return found


def _compare(what: str, wanted: Iterable[object], found: Iterable[object]) -> list[str]:
    """Compares multisets: returns the missing and the surplus items."""
    expected, there = Counter(wanted), Counter(found)
    missing, more = expected - there, there - expected
    if not missing and not more:
        return []
    some = ", ".join(map(str, [*missing, *more][:SHOWN]))
    return [f"{what}: {missing.total()} missing, {more.total()} too many of {expected.total()} ({some})"]

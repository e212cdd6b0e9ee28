"""Steps of members towards content, and what led there, read from the tables."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from metrics.conversion.domain import STEPS, Step
from metrics.domain.windows import Window
from metrics.reading import Reading
from metrics.scope import Scope


async def funnel(reading: Reading, window: Window, scope: Scope, within: timedelta) -> tuple[list[Step], int]:
    """The steps, and the pairs that are open."""
    parameters = {**scope.parameters, "begin": window.start, "end": window.end, "within": within}
    *counts, still_open = await reading.row(_funnel(scope), parameters)
    steps = [Step(name, counts[2 * at], counts[2 * at + 1]) for at, name in enumerate(STEPS)]
    return steps, still_open


def _funnel(scope: Scope) -> str:
    reached = ", ".join(
        f"count(*) FILTER (WHERE {name}), count(DISTINCT member_id) FILTER (WHERE {name})" for name in STEPS
    )
    in_time = "{0} >= {1} AND {0} < viewed_at + %(within)s AND {0} < %(end)s"
    quoted = in_time.format("quoted_at", "viewed_at")
    paid = in_time.format("paid_at", "quoted_at")
    completed = in_time.format("completed_at", "paid_at")
    return f"""SELECT {reached}, count(*) FILTER (WHERE is_open) FROM (
        SELECT member_id, true AS viewed, {quoted} AS quoted, {quoted} AND {paid} AS paid,
            {quoted} AND {paid} AND {completed} AS completed, viewed_at + %(within)s > %(end)s AS is_open
        FROM {scope.journeys} j JOIN member m USING (member_id)
        WHERE m.role = ANY(%(roles)s) AND j.access = 'paid' AND viewed_at >= %(begin)s AND viewed_at < %(end)s
    ) AS pairs"""  # noqa: S608 - all parts are declared here


class SlotShare(NamedTuple):
    """What is owed to recommendations of one slot and method; amounts in minor units."""

    slot: str
    method: str
    shown: int
    opened: int
    paid: int
    charged_minor: int


async def slots(reading: Reading, window: Window, scope: Scope, within: timedelta, currency: str) -> list[SlotShare]:
    """By slot and method, what was owed to none first."""
    parameters = {
        **scope.parameters,
        "begin": window.start,
        "end": window.end,
        "within": within,
        "currency": currency,
    }
    return [SlotShare(*row) for row in await reading.rows(_slots(scope), parameters)]


def _slots(scope: Scope) -> str:
    of_scope = f"s.content_id IN (SELECT content_id FROM content c WHERE {scope.contents})"  # noqa: S608
    shown = "true" if scope.everything else of_scope
    journeys = "member_content" if scope.everything else scope.journeys
    return f"""SELECT slot, method, sum(shown)::bigint, sum(opened)::bigint, sum(paid)::bigint, sum(charged)::bigint
    FROM (
        SELECT s.slot, s.method, 1 AS shown, 0 AS opened, 0 AS paid, 0 AS charged FROM shown_content s
        WHERE s.shown_at >= %(begin)s AND s.shown_at < %(end)s AND {shown}
        UNION ALL
        SELECT coalesce(s.slot, ''), coalesce(s.method, ''), 0, 1, 0, 0 FROM {journeys} j
        {_led("j.content_id", "j.member_id", "j.viewed_at")}
        WHERE j.viewed_at >= %(begin)s AND j.viewed_at < %(end)s
        UNION ALL
        SELECT coalesce(s.slot, ''), coalesce(s.method, ''), 0, 0, 1, o.charged_minor FROM placed_order o
        {_led("o.product_id", "o.member_id", "coalesce(o.placed_at, o.paid_at)")}
        WHERE o.paid_at >= %(begin)s AND o.paid_at < %(end)s AND o.currency = %(currency)s AND {scope.orders}
    ) AS owed GROUP BY slot, method ORDER BY slot, method"""  # noqa: S608


def _led(content: str, member: str, at: str) -> str:
    """The last recommendation that led to something; two of one instant: the one with the better place."""
    return f"""LEFT JOIN LATERAL (
            SELECT slot, method FROM shown_content s
            WHERE s.member_id = {member} AND s.content_id = {content}
                AND s.shown_at <= {at} AND s.shown_at > {at} - %(within)s
            ORDER BY s.shown_at DESC, s.place, s.answer_id LIMIT 1
        ) AS s ON true"""  # noqa: S608


class PromotionShare(NamedTuple):
    """Paid orders that name one promotion, or none; amounts in minor units."""

    promotion_id: str
    name: str
    paid: int
    payers: int
    charged_minor: int
    discount_minor: int


async def promotions(reading: Reading, window: Window, scope: Scope, currency: str) -> list[PromotionShare]:
    """By promotion, the orders without one first."""
    query = f"""SELECT coalesce(o.promotion_id, ''), coalesce(min(p.name), ''), count(*), count(DISTINCT o.member_id),
        sum(o.charged_minor)::bigint, sum(o.discount_minor)::bigint
    FROM placed_order o LEFT JOIN promotion p USING (promotion_id)
    WHERE {scope.orders} AND o.currency = %(currency)s AND o.paid_at >= %(begin)s AND o.paid_at < %(end)s
    GROUP BY 1 ORDER BY 1"""  # noqa: S608
    parameters = {**scope.parameters, "begin": window.start, "end": window.end, "currency": currency}
    return [PromotionShare(*row) for row in await reading.rows(query, parameters)]

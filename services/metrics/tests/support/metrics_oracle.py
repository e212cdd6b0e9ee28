"""Every figure from the raw events, by definition: DuckDB keeps the events, sets and loops do the rest.

It shares no code with the service, folds nothing, and is slow on purpose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from metrics_facts import Fact

DAY = timedelta(days=1)
WEIGHTS = {"view": 1.0, "like": 2.0, "rate": 2.0, "comment": 3.0, "share": 3.0, "complete": 4.0}
NAMES = {
    "viewed": "view",
    "liked": "like",
    "commented": "comment",
    "shared": "share",
    "rated": "rate",
    "completed": "complete",
    "paid": "buy",
}
TABLES = """
CREATE TABLE act (kind TEXT, member TEXT, content TEXT, moment TIMESTAMP, day DATE, recorded_on DATE, backfill BOOL);
CREATE TABLE member (member TEXT, role TEXT, moment TIMESTAMP, day DATE);
CREATE TABLE content (content TEXT, creator TEXT, tags TEXT[], access TEXT, title TEXT);
CREATE TABLE placed (id TEXT, member TEXT, creator TEXT, product TEXT, moment TIMESTAMP);
CREATE TABLE paid (id TEXT, member TEXT, creator TEXT, product TEXT, list BIGINT, discount BIGINT, charged BIGINT,
    fee BIGINT, currency TEXT, promotion TEXT, moment TIMESTAMP, day DATE);
CREATE TABLE rated (member TEXT, content TEXT, rating INT, moment TIMESTAMP, seq BIGINT);
CREATE TABLE shown (answer TEXT, member TEXT, content TEXT, slot TEXT, method TEXT, place INT, moment TIMESTAMP);
CREATE TABLE promotion (id TEXT, name TEXT);
"""


class Events:
    """Raw events in tables of DuckDB. Instants there are UTC."""

    def __init__(self, facts: Iterable[Fact], zone: ZoneInfo) -> None:
        self.zone = zone
        self.roles: dict[str, str] = {}
        self.db = duckdb.connect(":memory:")
        self.db.execute(TABLES)
        self._rows: dict[str, list[list[Any]]] = defaultdict(list)
        for seq, fact in enumerate(facts):
            self._keep(seq, fact)
        for table, rows in self._rows.items():
            self.db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608

    def day(self, at: datetime) -> date:
        """The calendar day of an instant. (Of zones that never turn back over midnight.)"""
        return at.astimezone(self.zone).date()

    def _put(self, table: str, *values: Any) -> None:
        self._rows[table].append(
            [one.astimezone(UTC).replace(tzinfo=None) if isinstance(one, datetime) else one for one in values]
        )

    def _keep(self, seq: int, fact: Fact) -> None:
        *_, subject, action, _ = fact.kind.name.split(".")
        if action in NAMES and subject in ("interaction", "learning", "order"):
            self._act(NAMES[action], fact)
        keep = getattr(self, f"_{subject}_{action}", None)
        if keep is not None:
            keep(fact.data, fact.at, seq)

    def _act(self, kind: str, fact: Fact) -> None:
        data, recorded_at = fact.data, max(fact.recorded_at or fact.at, fact.at)
        content = data["product_id"] if kind == "buy" else data["content_id"]
        days = self.day(fact.at), self.day(recorded_at)
        self._put("act", kind, data["member_id"], content, fact.at, *days, fact.backfill)

    def _interaction_rated(self, data: Any, at: datetime, seq: int) -> None:
        self._put("rated", data["member_id"], data["content_id"], data["rating"], at, seq)

    def _order_placed(self, data: Any, at: datetime, seq: int) -> None:
        self._put("placed", data["order_id"], data["member_id"], data["creator_id"], data["product_id"], at)

    def _order_paid(self, data: Any, at: datetime, seq: int) -> None:
        charged = data["charged"]["amount_minor"]
        self._put(
            "paid",
            *(data[name] for name in ("order_id", "member_id", "creator_id", "product_id")),
            data["list"]["amount_minor"],
            data["discount"]["amount_minor"],
            charged,
            charged * data["platform_fee_bps"] // 10_000,
            data["charged"]["currency"],
            data["promotion_id"] or "",
            at,
            self.day(at),
        )

    def _member_registered(self, data: Any, at: datetime, seq: int) -> None:
        self.roles[data["member_id"]] = data["role"]
        self._put("member", data["member_id"], data["role"], at, self.day(at))

    def _member_role_granted(self, data: Any, at: datetime, seq: int) -> None:
        self.roles[data["member_id"]] = data["role"]

    def _content_published(self, data: Any, at: datetime, seq: int) -> None:
        self._put("content", data["content_id"], data["creator_id"], data["tags"], data["access"], data["title"])

    def _promotion_scheduled(self, data: Any, at: datetime, seq: int) -> None:
        self._put("promotion", data["promotion_id"], data["name"])

    def _impression_shown(self, data: Any, at: datetime, seq: int) -> None:
        for place, item in enumerate(data["items"], start=1):
            told = data["answer_id"], data["member_id"], item["content_id"], data["slot"], data["method"]
            self._put("shown", *told, place, at)


class Oracle:
    """The events up to and including the day of `as_of`, business time."""

    def __init__(self, events: Events, as_of: datetime) -> None:
        self.events = events
        self.zone = events.zone
        self.today = events.day(as_of)
        self.community = {
            member: (_utc(at), day)
            for member, at, day in self.rows("SELECT member, moment, day FROM member")
            if events.roles[member] in ("consumer", "creator")
        }

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.events.db.execute(query, list(values)).fetchall()

    def day(self, at: datetime) -> date:
        """The calendar day of an instant."""
        return self.events.day(at)

    def end(self) -> datetime:
        """The first instant after the last day."""
        return datetime.combine(self.today + DAY, datetime.min.time(), self.zone).astimezone(UTC)

    # -- scopes ----------------------------------------------------------------------------------

    def contents(self, creator: str = "", content: str = "", tag: str = "") -> set[str] | None:
        """Contents in scope; None for all that members do."""
        if not (creator or content or tag):
            return None
        return {
            one
            for one, by, tags in self.rows("SELECT content, creator, tags FROM content")
            if creator in ("", by) and content in ("", one) and (not tag or tag in tags)
        }

    def acts(self, **scope: str) -> Iterator[tuple[str, str, datetime, date]]:
        """Kind, member, instant and day of what community members did up to today."""
        contents = self.contents(**scope)
        for kind, member, content, at, day in self.rows("SELECT kind, member, content, moment, day FROM act"):
            if day <= self.today and member in self.community and (contents is None or content in contents):
                yield kind, member, _utc(at), day

    def orders(self, currency: str | None = "CNY", **scope: str) -> Iterator[dict[str, Any]]:
        """Paid orders up to today."""
        tagged = self.contents(tag=scope.get("tag", ""))
        cursor = self.events.db.execute("SELECT * FROM paid")
        names = [one[0] for one in cursor.description or ()]
        for row in cursor.fetchall():
            one = dict(zip(names, row, strict=True))
            one["at"] = _utc(one["moment"])
            if (
                one["day"] <= self.today
                and currency in (None, one["currency"])
                and scope.get("creator", "") in ("", one["creator"])
                and scope.get("content", "") in ("", one["product"])
                and (tagged is None or one["product"] in tagged)
            ):
                yield one

    # -- periods ---------------------------------------------------------------------------------

    def periods(self, period: str, count: int) -> list[tuple[date, date]]:
        """First and last days, the last period being today's."""
        found = [_around(self.today, period)]
        while len(found) < count:
            found.append(_around(found[-1][0] - DAY, period))
        return found[::-1]

    def trend(self, period: str, count: int, **scope: str) -> list[dict[str, Any]]:
        """Active members by period."""
        acts = list(self.acts(**scope))
        return [self._spell(acts, first, last, period) for first, last in self.periods(period, count)]

    def _spell(self, acts: Sequence[Any], first: date, last: date, period: str) -> dict[str, Any]:
        active = {member for _, member, _, day in acts if first <= day <= last}
        before_first, before_last = _around(first - DAY, period)
        before = {member for _, member, _, day in acts if before_first <= day <= before_last}
        new = {m for m in active - before if first <= self.community[m][1] <= min(last, self.today)}
        did = [kind for kind, _, _, day in acts if first <= day <= last and kind != "buy"]
        found = {
            "first_day": first.isoformat(),
            "last_day": last.isoformat(),
            "closed": last <= self.today,
            "active": len(active),
            "new_members": len(new),
            "returning": len(active & before),
            "resurrecting": len(active - before - new),
            "dormant": len(before - active),
            "interactions": len(did),
            "frequency": len(did) / len(active) if active else 0.0,
            "weighted": sum(WEIGHTS[kind] for kind in did) / len(active) if active else 0.0,
            "weekly_active": 0,
            "monthly_active": 0,
            "stickiness": 0.0,
        }
        if period == "day":
            week, month = (
                {member for _, member, _, day in acts if last - (n - 1) * DAY <= day <= last} for n in (7, 30)
            )
            found |= {"weekly_active": len(week), "monthly_active": len(month)}
            found["stickiness"] = len(active) / len(month) if month else 0.0
        return found

    def breakdown(self, by: str, days: int) -> dict[str, tuple[int, int, float]]:
        """Active members, interactions and weighted interactions by creator, content or tag."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        known = {one: (creator, tags) for one, creator, tags in self.rows("SELECT content, creator, tags FROM content")}
        for kind, member, content, day in self.rows("SELECT kind, member, content, day FROM act"):
            if content in known and member in self.community and self.today - (days - 1) * DAY <= day <= self.today:
                creator, tags = known[content]
                for key in {"creator": [creator], "content": [content], "tag": tags}[by]:
                    found[key].append((kind, member))
        return {key: _shared(ones) for key, ones in found.items()}

    def restated(self, days: int) -> dict[tuple[str, str, str], tuple[int, int]]:
        """Interactions and purchases by day, day of recording and reason."""
        found: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
        query = "SELECT kind, day, recorded_on, backfill FROM act WHERE recorded_on > day"
        for kind, day, on, backfill in self.rows(query):
            if self.today - (days - 1) * DAY <= on <= self.today:
                found[day.isoformat(), on.isoformat(), "import" if backfill else "late"][kind == "buy"] += 1
        return {key: (one[0], one[1]) for key, one in found.items()}

    # -- cohorts ---------------------------------------------------------------------------------

    def starts(self, start: str, **scope: str) -> dict[str, datetime]:
        """When each community member started."""
        if start == "registered":
            return {member: at for member, (at, _) in self.community.items()}
        found: dict[str, datetime] = {}
        if start == "first_active":
            instants = [(member, at) for _, member, at, _ in self.acts(**scope)]
        else:
            orders = self.orders(None, **scope)
            instants = [(o["member"], o["at"]) for o in orders if o["charged"] > 0 and o["member"] in self.community]
        for member, at in instants:
            found[member] = min(at, found.get(member, at))
        return found

    def cohorts(
        self,
        start: str,
        period: str,
        measure: str,
        clock: str,
        count: int,
        brackets: Sequence[tuple[int, int]],
        **scope: str,
    ) -> list[dict[str, Any]]:
        """Rows of the table: first day, members, and cells of the brackets that have eligible members."""
        starts = self.starts(start, **scope)
        acts: dict[str, list[tuple[datetime, date]]] = defaultdict(list)
        for _, member, at, day in self.acts(**scope):
            acts[member].append((at, day))
        found = []
        for first, last in self.periods(period, count):
            members = [m for m, at in starts.items() if first <= self.day(at) <= min(last, self.today)]
            cells = [self._cell(members, starts, acts, period, measure, clock, bracket, scope) for bracket in brackets]
            found.append(
                {"first_day": first.isoformat(), "members": len(members), "cells": [c for c in cells if c["eligible"]]}
            )
        return found

    def _interval(self, at: datetime, since: datetime, period: str, clock: str) -> int:
        if clock == "member":
            return (at - since) // timedelta(hours=24 if period == "day" else 168)
        number, first = 0, _around(self.day(since), period)[0]
        target = _around(self.day(at), period)[0]
        if target < first:
            return -1
        while first < target:
            first = _around(first, period)[1] + DAY
            number += 1
        return number

    def _closed(self, since: datetime, number: int, period: str, clock: str) -> bool:
        if clock == "member":
            return since + (number + 1) * timedelta(hours=24 if period == "day" else 168) <= self.end()
        _, last = _around(self.day(since), period)
        for _ in range(number):
            _, last = _around(last + DAY, period)
        return last <= self.today

    def _cell(
        self,
        members: Sequence[str],
        starts: dict[str, datetime],
        acts: Any,
        period: str,
        measure: str,
        clock: str,
        bracket: tuple[int, int],
        scope: dict[str, str],
    ) -> dict[str, Any]:
        first, last = bracket
        eligible = [m for m in members if self._closed(starts[m], last, period, clock)]
        seen = {m: {self._interval(at, starts[m], period, clock) for at, _ in acts[m]} for m in eligible}
        kept: dict[str, Callable[[set[int]], bool]] = {
            "bounded": lambda n: first in n,
            "bracket": lambda n: any(one in n for one in range(first, last + 1)),
            "unbounded": lambda n: any(one >= first for one in n),
            "rolling": lambda n: all(one in n for one in range(first + 1)),
        }
        retained = [m for m in eligible if kept[measure](seen[m])]
        learners = {
            m for m, at in self._completions(**scope)
            if m in seen and at >= starts[m] and first <= self._interval(at, starts[m], period, clock) <= last
        }  # fmt: skip
        bought = [
            o for o in self.orders(**scope)
            if o["member"] in seen and o["charged"] > 0
            and first <= self._interval(o["at"], starts[o["member"]], period, clock) <= last
        ]  # fmt: skip
        return {
            "first_interval": first,
            "last_interval": last,
            "eligible": len(eligible),
            "retained": len(retained),
            "rate": len(retained) / len(eligible) if eligible else 0.0,
            "learners": len(learners),
            "payers": len({o["member"] for o in bought}),
            "revenue_minor": str(sum(o["charged"] for o in bought)),
        }

    def _completions(self, **scope: str) -> list[tuple[str, datetime]]:
        """The first completion of each content by each member."""
        contents = self.contents(**scope)
        query = "SELECT member, content, min(moment) FROM act WHERE kind = 'complete' GROUP BY ALL"
        found = [(m, c, _utc(at)) for m, c, at in self.rows(query)]
        return [(m, at) for m, c, at in found if (contents is None or c in contents) and at < self.end()]

    def panel(self, start: str, period: str, intervals: int, **scope: str) -> list[int]:
        """Survivors of the members whose first intervals have closed."""
        starts = self.starts(start, **scope)
        last: dict[str, int] = {}
        for member, since in starts.items():
            if self._closed(since, intervals, period, "calendar"):
                last[member] = 0
        for _, member, at, _ in self.acts(**scope):
            if member in last:
                last[member] = max(last[member], self._interval(at, starts[member], period, "calendar"))
        return [sum(one >= t for one in last.values()) for t in range(intervals + 1)]

    # -- money -----------------------------------------------------------------------------------

    def revenue(self, period: str, count: int, currency: str = "CNY", **scope: str) -> list[dict[str, int]]:
        """Amounts by period."""
        orders = list(self.orders(currency, **scope))
        return [self._earned(orders, first, last) for first, last in self.periods(period, count)]

    def _earned(self, orders: Sequence[Any], first: date, last: date) -> dict[str, int]:
        here = [o for o in orders if first <= o["day"] <= last]
        return {
            "orders": len(here),
            "payers": len({o["member"] for o in here if o["charged"] > 0}),
            "gross_minor": sum(o["list"] for o in here),
            "discount_minor": sum(o["discount"] for o in here),
            "charged_minor": sum(o["charged"] for o in here),
            "commission_minor": sum(o["fee"] for o in here),
            "net_minor": sum(o["charged"] - o["fee"] for o in here),
            "members": sum(day <= min(last, self.today) for _, day in self.community.values()),
        }

    # -- conversion ------------------------------------------------------------------------------

    def funnel(self, days: int, within: int, **scope: str) -> tuple[list[tuple[int, int]], int]:
        """Pairs and members at each step, and pairs that are open."""
        contents = self.contents(**scope)
        paid_for = {one for (one,) in self.rows("SELECT content FROM content WHERE access = 'paid'")}
        first_view = self._first("SELECT member, content, min(moment) FROM act WHERE kind = 'view' GROUP BY ALL")
        quoted = self._first("SELECT member, product, min(moment) FROM placed GROUP BY ALL")
        paid = self._first("SELECT member, product, min(moment) FROM paid GROUP BY ALL")
        done = self._first("SELECT member, content, min(moment) FROM act WHERE kind = 'complete' GROUP BY ALL")
        steps: list[list[tuple[str, str]]] = [[], [], [], []]
        still_open = 0
        for pair, at in first_view.items():
            here = pair[1] in paid_for and (contents is None or pair[1] in contents) and pair[0] in self.community
            if not (here and self.today - (days - 1) * DAY <= self.day(at) <= self.today):
                continue
            limit = at + timedelta(days=within)
            still_open += limit > self.end()
            before = at
            steps[0].append(pair)
            for step, instants in zip(steps[1:], (quoted, paid, done), strict=True):
                after = instants.get(pair)
                if after is None or not before <= after < min(limit, self.end()):
                    break
                step.append(pair)
                before = after
        return [(len(step), len({member for member, _ in step})) for step in steps], still_open

    def _first(self, query: str) -> dict[tuple[str, str], datetime]:
        return {(member, content): _utc(at) for member, content, at in self.rows(query)}

    def attribution(self, days: int, within: int, **scope: str) -> dict[tuple[str, str], tuple[int, int, int, int]]:
        """Shown, opened, paid and charged by slot and method."""
        contents = self.contents(**scope)
        begin = self.today - (days - 1) * DAY
        impressions = [
            (m, c, s, how, place, a, _utc(at)) for a, m, c, s, how, place, at in self.rows("SELECT * FROM shown")
        ]
        found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for _, content, slot, method, _, _, at in impressions:
            if begin <= self.day(at) <= self.today and (contents is None or content in contents):
                found[slot, method][0] += 1

        def led(member: str, content: str, at: datetime) -> tuple[str, str]:
            near = [
                (shown_at, -place, slot, method)
                for m, c, slot, method, place, _, shown_at in impressions
                if (m, c) == (member, content) and at - timedelta(days=within) < shown_at <= at
            ]
            return max(near)[2:] if near else ("", "")

        views = self._first("SELECT member, content, min(moment) FROM act WHERE kind = 'view' GROUP BY ALL")
        for (member, content), at in views.items():
            if begin <= self.day(at) <= self.today and (contents is None or content in contents):
                found[led(member, content, at)][1] += 1
        placed = {one: _utc(at) for one, at in self.rows("SELECT id, moment FROM placed")}
        for o in self.orders(**scope):
            if begin <= o["day"]:
                key = led(o["member"], o["product"], placed.get(o["id"], o["at"]))
                found[key][2] += 1
                found[key][3] += o["charged"]
        return {key: (one[0], one[1], one[2], one[3]) for key, one in found.items()}

    def promotions(self, days: int, **scope: str) -> dict[str, tuple[str, int, int, int, int]]:
        """Name, orders, payers, charged and discount by promotion."""
        names = dict(self.rows("SELECT id, name FROM promotion"))
        by: dict[str, list[Any]] = defaultdict(list)
        for o in self.orders(**scope):
            if o["day"] > self.today - days * DAY:
                by[o["promotion"]].append(o)
        return {
            key: (
                names.get(key, ""),
                len(ones),
                len({o["member"] for o in ones}),
                sum(o["charged"] for o in ones),
                sum(o["discount"] for o in ones),
            )
            for key, ones in by.items()
        }

    # -- quality ---------------------------------------------------------------------------------

    def quality(self, prior: float, **scope: str) -> dict[str, tuple[int, int, int, float, float]]:
        """Viewers, completed, ratings, mean and Bayesian mean by content that anybody met."""
        contents = self.contents(**scope)
        known = {one for (one,) in self.rows("SELECT content FROM content")}
        present: dict[tuple[str, str], tuple[Any, int]] = {}
        for member, content, rating, at, seq in self.rows("SELECT * FROM rated ORDER BY moment, seq"):
            present[member, content] = (_utc(at), rating) if seq >= 0 else present[member, content]
        ratings = {pair: rating for pair, (at, rating) in present.items() if at < self.end()}
        mean = sum(ratings.values()) / len(ratings) if ratings else 0.0
        met: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
        for kind, member, content, day in self.rows("SELECT kind, member, content, day FROM act"):
            if content in known and (contents is None or content in contents):
                viewers, done = met[content]
                if day <= self.today and kind in ("view", "complete"):
                    viewers.add(member)
                if day <= self.today and kind == "complete":
                    done.add(member)
        found = {}
        for content, (viewers, done) in met.items():
            own = [rating for (_, one), rating in ratings.items() if one == content]
            bayesian = (prior * mean + sum(own)) / (prior + len(own)) if mean else 0.0
            found[content] = len(viewers), len(done), len(own), sum(own) / len(own) if own else 0.0, bayesian
        return found


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC)


def _around(day: date, period: str) -> tuple[date, date]:
    if period == "week":
        monday = day - day.weekday() * DAY
        return monday, monday + 6 * DAY
    if period == "month":
        first = day.replace(day=1)
        return first, (first + 31 * DAY).replace(day=1) - DAY
    return day, day


def _shared(ones: Sequence[tuple[str, str]]) -> tuple[int, int, float]:
    did = [kind for kind, _ in ones if kind != "buy"]
    return len({member for _, member in ones}), len(did), sum(WEIGHTS[kind] for kind in did)

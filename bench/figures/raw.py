"""The same figures by DuckDB, straight from the raw events in memory."""

from __future__ import annotations

import statistics
import time
from typing import Any, NamedTuple

import duckdb

from bench.figures.community import NOW, Community

TODAY = NOW.date().isoformat()
QUERIES = {
    "active members by day, 30 days": f"""SELECT day, count(DISTINCT member) FROM act
        WHERE day > DATE '{TODAY}' - 30 GROUP BY day""",
    "interactions by kind": "SELECT kind, count(*) FROM act GROUP BY kind",
    "weekly cohorts, bounded": """WITH begun AS (SELECT member, min(day) AS since FROM act GROUP BY member)
        SELECT date_trunc('week', since), date_diff('week', since, day), count(DISTINCT member)
        FROM act JOIN begun USING (member) GROUP BY ALL""",
    "revenue by month": "SELECT date_trunc('month', day), sum(charged), count(DISTINCT member) FROM act GROUP BY ALL",
}


class Took(NamedTuple):
    """How long an answer took."""

    name: str
    p50_ms: float


def measured(community: Community, calls: int) -> list[Took]:
    """Each query, `calls` times."""
    db = duckdb.connect(":memory:")
    db.execute("CREATE TABLE act (kind TEXT, member TEXT, content TEXT, day DATE, charged BIGINT)")
    rows = [_row(one.kind.name, one.data, one.at.date()) for one in community.acts()]
    columns: dict[str, Any] = {str(at): [row[at] for row in rows] for at in range(5)}
    _fill(db, columns)
    return [Took(name, _median_ms(db, query, calls)) for name, query in QUERIES.items()]


def _row(kind: str, data: dict[str, Any], day: Any) -> tuple[Any, ...]:
    charged = data["charged"]["amount_minor"] if "charged" in data else 0
    return kind, data["member_id"], data.get("content_id") or data["product_id"], day.isoformat(), charged


def _fill(db: duckdb.DuckDBPyConnection, columns: dict[str, list[Any]]) -> None:
    db.execute(
        "INSERT INTO act SELECT unnest(?), unnest(?), unnest(?), unnest(?)::DATE, unnest(?)", list(columns.values())
    )


def _median_ms(db: duckdb.DuckDBPyConnection, query: str, calls: int) -> float:
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        db.execute(query).fetchall()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)

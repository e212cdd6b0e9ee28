"""Whether everything that was answered is there, once: asked of the stores and read tables themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from tests.rehearsal.load import Told

VISIBLE_WITHIN_S = 60.0
COMMENTS_FOLDED = "SELECT content_id, comments FROM content_counter WHERE comments > 0"
CONTENTS = "SELECT content_id FROM content_index"
PRICED = "SELECT product_id FROM product_price"
MEMBERS = "SELECT count(*) FROM member_directory"
KNOWN = "SELECT count(*) FROM member"


def findings(told: Told, url: Callable[[str], str]) -> Iterator[str]:
    """What is not as it was answered, after `VISIBLE_WITHIN_S` at most. Blocking."""
    if told.failed:
        yield f"{len(told.failed)} requests failed; the first: {told.failed[:3]}"
    for check in (_contents, _comments, _prices, _members):
        complaint: str | None = "not asked"
        give_up_at = time.monotonic() + VISIBLE_WITHIN_S
        while (complaint := check(told, url)) and time.monotonic() < give_up_at:
            time.sleep(0.2)
        if complaint:
            yield complaint


def _contents(told: Told, url: Callable[[str], str]) -> str | None:
    shown = {row[0] for row in _rows(url("catalog"), CONTENTS)}
    wanted = set(told.contents)
    if len(wanted) != len(told.contents):
        return f"{len(told.contents) - len(wanted)} contents were published under an id that another has"
    if shown != wanted:
        return f"contents: {len(wanted - shown)} lost, {len(shown - wanted)} more than were answered"
    return None


def _comments(told: Told, url: Callable[[str], str]) -> str | None:
    folded: dict[str, int] = dict(_rows(url("catalog"), COMMENTS_FOLDED))
    wrong = {key for key in {*folded, *told.comments} if folded.get(key, 0) != told.comments[key]}
    if wrong:
        sums = (sum(told.comments.values()), sum(folded.values()))
        return f"comments of {len(wrong)} contents differ: {sums[0]} were answered, {sums[1]} are counted"
    return None


def _prices(told: Told, url: Callable[[str], str]) -> str | None:
    shown = {row[0] for row in _rows(url("billing"), PRICED)}
    return None if shown == told.products else f"prices: {len(told.products ^ shown)} differ"


def _members(told: Told, url: Callable[[str], str]) -> str | None:
    wanted = len(told.members)
    for name, query in (("identity", MEMBERS), ("catalog", KNOWN), ("billing", KNOWN)):
        ((count,),) = _rows(url(name), query)
        if count != wanted:
            return f"{name} knows {count} members, {wanted} were registered"
    return None


def _rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchall()

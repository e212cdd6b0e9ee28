"""The source document's figures, out of folded events.

Each case lies in its own past, and is asked for as of then, so that the tests share one stack.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from community import Community, Session, rfc3339

CURRENCY = "CNY"


def members(dataset: str, count: int, at: datetime) -> list[dict[str, Any]]:
    return [
        {"external_id": f"{n}", "username": f"{dataset}-{n}", "role": "consumer", "registered_at": rfc3339(at)}
        for n in range(count)
    ]


def one_content(importer: Session, dataset: str, at: datetime) -> str:
    creator = {"external_id": "creator", "username": f"{dataset}-cr", "role": "creator", "registered_at": rfc3339(at)}
    importer.import_all("members", dataset, [creator])
    content = {
        "external_id": "c",
        "creator_external_id": "creator",
        "title": "t",
        "kind": "video",
        "access": "free",
        "published_at": rfc3339(at),
    }
    return importer.import_all("contents", dataset, [content])


def views(count: int, first: datetime, every: timedelta) -> list[dict[str, Any]]:
    return [
        {
            "external_id": f"v{first.isoformat()}-{n}",
            "member_external_id": "0",
            "content_external_id": "c",
            "interaction": {"kind": "view"},
            "occurred_at": rfc3339(first + n * every),
        }
        for n in range(count)
    ]


def test_ten_interactions_in_thirty_days_are_a_third_a_day(community: Community) -> None:
    importer, dataset = community.importer(), f"a{uuid.uuid4().hex[:8]}"
    as_of = datetime(1981, 1, 30, 23, 59, tzinfo=UTC)
    joined = importer.import_all("members", dataset, members(dataset, 1, as_of - timedelta(days=60)))
    one_content(importer, dataset, as_of - timedelta(days=60))
    token = importer.import_all("interactions", dataset, views(10, as_of - timedelta(days=29), timedelta(days=2)))
    member_id = _member_id(importer, dataset)
    answer = importer.get_after(
        f"/v1/metrics/members/{member_id}/activity", [joined, token], window_days=30, as_of=rfc3339(as_of)
    )
    assert int(answer["interactions"]) == 10 and answer["rate_per_day"] == pytest.approx(0.333, abs=5e-4)


def test_five_before_and_two_now_score_four_point_four(community: Community) -> None:
    importer, dataset = community.importer(), f"s{uuid.uuid4().hex[:8]}"
    as_of = datetime(1983, 6, 30, 23, 59, tzinfo=UTC)
    joined = importer.import_all("members", dataset, members(dataset, 1, as_of - timedelta(days=90)))
    one_content(importer, dataset, as_of - timedelta(days=90))
    earlier = views(20, as_of - timedelta(days=34), timedelta(days=1))
    lately = views(2, as_of - timedelta(days=3), timedelta(days=1))
    token = importer.import_all("interactions", dataset, earlier + lately)
    path = f"/v1/metrics/members/{_member_id(importer, dataset)}/retention"
    answer = importer.get_after(path, [joined, token], as_of=rfc3339(as_of))
    assert (answer["history"], answer["current"]) == (5.0, 2.0)
    assert answer["score"] == pytest.approx(4.4), "the source prints 4.6; see the glossary"
    assert 0.0 <= answer["probability"] <= 1.0


def test_a_thousand_members_and_a_hundred_buyers_of_a_hundred_make_ten_thousand(community: Community) -> None:
    importer, dataset = community.importer(), f"r{uuid.uuid4().hex[:8]}"
    as_of = datetime(1971, 3, 1, tzinfo=UTC)
    token = importer.import_all("members", dataset, members(dataset, 1000, as_of - timedelta(days=20)))
    seller = community.member("creator")
    product, price = f"p-{dataset}", {"amount_minor": 10_000, "currency": CURRENCY}
    seller.post("/v1/products", {"product_id": product, "title": "课程", "pricing": "fixed", "price": price})
    orders = [
        {
            "external_id": f"{n}",
            "member_external_id": f"{n}",
            "product_id": product,
            "creator_id": seller.member_id,
            "list": price,
            "charged": price,
            "ordered_at": rfc3339(as_of - timedelta(days=5)),
        }
        for n in range(100)
    ]
    paid = importer.import_all("orders", dataset, orders)
    answer = importer.get_after("/v1/metrics/revenue", [token, paid], as_of=rfc3339(as_of), currency=CURRENCY)
    assert (int(answer["members"]), int(answer["payers"])) == (1000, 100)
    assert (answer["mean_spend_minor"], answer["conversion"]) == (10_000.0, 0.1)
    assert int(answer["revenue_minor"]) == 10_000 * 100


def _member_id(importer: Session, dataset: str) -> str:
    item = members(dataset, 1, datetime(1970, 6, 1, tzinfo=UTC))
    answer = importer.post("/v1/members:batchImport", {"dataset": dataset, "items": item})
    assert answer["results"][0]["status"] == "duplicate"
    member_id: str = answer["results"][0]["id"]
    return member_id

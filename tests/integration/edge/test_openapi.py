"""The gateway answers as its OpenAPI document says, whatever it is asked and whoever asks.

This is the short form of `make api-trial`, which tries more.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from api_trial import CHECKS, Request, Working, is_stream, requests_to, stated
from community import IMPORTER, PASSWORD, Community
from hypothesis import HealthCheck, given, settings
from operating import make_account
from shop import PRICE, Shop, opened, placed, promoted, quote

from lyceum_local.stack import LocalStack

EXAMPLES = int(os.environ.get("API_TRIAL_EXAMPLES", "0"))
"""Requests to each operation by each caller; 0 for a few, the same each time."""
FEW, TIMEOUT_S = 4, 20
TOKEN_USED_S = 300
OPERATIONS = stated()
GRANT_ROLE = "IdentityService_GrantRole"


@dataclass
class Caller:
    """Somebody with an account, or nobody, who logs in again before the token is over."""

    community: Community
    username: str
    token: str = ""
    until_s: float = 0.0

    def headers(self) -> dict[str, str]:
        """What tells the gateway who asks."""
        if self.username and time.monotonic() > self.until_s:
            self.token = self.community.log_in(self.username).access_token
            self.until_s = time.monotonic() + TOKEN_USED_S
        return {"authorization": f"Bearer {self.token}"} if self.username else {}


def registered(community: Community, role: str) -> str:
    """The name of a new account."""
    name = f"t{uuid.uuid4().hex[:16]}"
    community.anonymous().post("/register", {"username": name, "password": PASSWORD, "role": role})
    return name


@pytest.fixture(scope="module")
def callers(community: Community, stack: LocalStack) -> Mapping[str, Caller]:
    """By what they are."""
    names = {"nobody": "", "importer": IMPORTER, "admin": f"t{uuid.uuid4().hex[:16]}"}
    make_account(stack, names["admin"], "admin")
    names |= {role: registered(community, role) for role in ("consumer", "creator")}
    return {who: Caller(community, name) for who, name in names.items()}


@pytest.fixture(scope="module")
def working(community: Community, callers: Mapping[str, Caller]) -> Working:
    """What works for the creator of a shop and for a consumer who has an order there."""
    creator, consumer = (community.log_in(callers[who].username) for who in ("creator", "consumer"))
    shop = opened(community, creator)
    promotion_id, other = promoted(shop), registered(community, "consumer")
    quoted = quote(consumer, shop, promotion_id)
    named = {
        "content_id": shop.content_id,
        "product_id": shop.content_id,
        "member_id": consumer.member_id,
        "order_id": placed(consumer, quoted),
        "account": f"creator_payable:{creator.member_id}",
        "provider": "simulator",
        "currency": PRICE["currency"],
        "page_token": "",
        "x-lyceum-after": next(iter(creator.tokens.values())),
    }
    return Working(named, {**_of_shop(shop, promotion_id, quoted), **_of_others(other), **_imports(other)})


def _of_shop(shop: Shop, promotion_id: str, quoted: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    product = {"product_id": shop.content_id, "title": "课程", "pricing": "fixed", "price": PRICE}
    promotion = {"promotion_id": f"{promotion_id}-2", "name": "优惠", "percent_off_bps": 100} | {
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2099-01-01T00:00:00Z",
        "product_ids": [shop.content_id],
    }
    like = {"content_id": shop.content_id, "interaction": {"kind": "like"}}
    return {
        "CatalogService_RecordInteraction": {"kind": "rate", "rating": 5},
        "CatalogService_RecordInteractions": {"items": [like]},
        "BillingService_PriceProduct": product,
        "BillingService_SchedulePromotion": promotion,
        "BillingService_CreateQuote": {"product_id": shop.content_id, "promotion_id": promotion_id},
        "BillingService_PlaceOrder": {"quote": quoted},
        "BillingService_StartPayment": {"provider": "simulator"},
    }


def _of_others(username: str) -> dict[str, Mapping[str, Any]]:
    return {
        "CatalogService_Publish": {"title": "课程", "author": "王老师", "content": "正文"},
        "CatalogService_PublishContent": {"kind": "text", "title": "课程", "body": "正文", "access": "free"},
        "IdentityService_Register": {"username": f"{username}-2", "password": PASSWORD},
        "IdentityService_LogIn": {"username": username, "password": PASSWORD},
        "IdentityService_IssueClaimCode": {"username": username},
        GRANT_ROLE: {"role": "creator"},
        "IdentityService_ClaimAccount": {"username": username, "code": "123456", "password": PASSWORD},
    }


def _imports(dataset: str) -> dict[str, Mapping[str, Any]]:
    one, member, at = {"external_id": "1"}, {"member_external_id": "1"}, "2024-01-01T00:00:00Z"
    work = {"kind": "text", "title": "课程", "body": "正文", "access": "paid", "published_at": at}
    like = {"content_external_id": "1", "interaction": {"kind": "like"}, "occurred_at": at}
    order = {"product_id": f"{dataset}-4", "list": PRICE, "charged": PRICE, "ordered_at": at}
    items = {
        "IdentityService_ImportMembers": {**one, "username": f"{dataset}-3", "role": "creator", "registered_at": at},
        "CatalogService_ImportContents": {**one, "creator_external_id": "1", **work},
        "CatalogService_ImportInteractions": {**one, **member, **like},
        "BillingService_ImportOrders": {**one, **member, **order},
    }
    return {operation: {"dataset": dataset, "items": [item]} for operation, item in items.items()}


def cases() -> Iterator[tuple[str, str]]:
    """Each operation with each caller; importers and admins only where nobody else may come, streams with nobody."""
    for name, operation in OPERATIONS.items():
        if is_stream(operation):  # what it answers goes on for minutes: `test_notifications.py`
            yield name, "nobody"
            continue
        yield from ((name, who) for who in ("nobody", "consumer", "creator"))
        if "Import" in name:
            yield name, "importer"
        if name == GRANT_ROLE:
            yield name, "admin"


@pytest.mark.parametrize(("name", "who"), list(cases()))
def test_every_answer_is_as_the_document_says(
    callers: Mapping[str, Caller], working: Working, name: str, who: str
) -> None:
    caller, operation = callers[who], OPERATIONS[name]
    if who == "admin":  # the callers keep their roles
        spare = caller.community.log_in(registered(caller.community, "consumer"))
        working = replace(working, parameters={**working.parameters, "member_id": spare.member_id})

    @given(case=requests_to(operation, working))
    @settings(
        max_examples=EXAMPLES or FEW, derandomize=not EXAMPLES, database=None, suppress_health_check=list(HealthCheck)
    )
    def tried(case: Request) -> None:
        answer = case.call(base_url=caller.community.url, headers=caller.headers(), timeout=TIMEOUT_S)
        case.validate_response(answer, checks=CHECKS)

    tried()

"""From an empty community to the first sale: by the README's own commands, and by gRPC through the same port."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from community import Community, eventually
from google.protobuf.timestamp_pb2 import Timestamp
from native import CALL_S, Native, joined, reason_of

from lyceum.billing.v1 import billing_pb2 as billing
from lyceum.billing.v1.billing_pb2_grpc import BillingServiceStub
from lyceum.catalog.v1 import catalog_pb2 as catalog
from lyceum.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from lyceum.common.v1.common_pb2 import Money

README = Path(__file__).parents[3] / "README.md"
README_URL = "http://127.0.0.1:8080"
COMMANDS_S = 120
BODY = "变量、循环与函数。"
LIST, CHARGED, OWED = 9_900, 7_425, 6_683
"""In fen: the price, what is left of it after a quarter off, and what the creator gets of that."""


def commands(heading: str) -> str:
    """The bash lines below a heading of the README."""
    _, _, rest = README.read_text(encoding="utf-8").partition(f"# {heading}\n")
    found = re.search(r"```bash\n(.*?)```", rest, re.DOTALL)
    assert found, heading
    return found[1]


def run(script: str, url: str) -> str:
    """What the README's commands print, run as they stand against the gateway at `url`."""
    assert README_URL in script
    bash = ["bash", "-euo", "pipefail", "-c", script.replace(README_URL, url)]
    ran = subprocess.run(bash, capture_output=True, text=True, timeout=COMMANDS_S, check=False)
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    return ran.stdout


def test_the_readmes_first_request_answers_as_it_says(community: Community) -> None:
    command, answer = re.findall(r"^    (curl .*/register.*)\n    (.*)$", README.read_text(encoding="utf-8"), re.M)[0]
    assert run(command, community.url) == answer


def test_the_readmes_commands_make_the_first_sale(community: Community) -> None:
    printed = run(commands("From nothing to the first sale"), community.url)

    answers: list[dict[str, Any]] = [json.loads(line) for line in printed.splitlines()]
    creator, buyer, priced, promoted, payment, order, content, rated, postings, again = answers
    assert creator == buyer == {"message": "User registered successfully."}
    assert promoted["promotion_id"] == f"first-{priced['product_id']}"
    assert payment["amount_minor"] == CHARGED
    assert (order["order"]["status"], order["order"]["charged"]["amount_minor"]) == ("paid", str(CHARGED))
    assert (content["access"]["reason"], content["body"]) == ("entitled", BODY)
    assert rated["status"] == "created"
    assert [one["amount"]["amount_minor"] for one in postings["postings"]] == [str(-OWED)]
    assert (again["code"], again["details"][0]["reason"]) == (9, "ALREADY_BOUGHT")


@pytest.fixture
def channel(community: Community) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(urlsplit(community.url).netloc) as opened:
        yield opened


@pytest.fixture
def creator(channel: grpc.Channel) -> Native:
    return joined(channel, "creator")


@pytest.fixture
def buyer(channel: grpc.Channel) -> Native:
    return joined(channel, "consumer")


def on_sale(creator: Native) -> str:
    """The id of a new paid text that has a price."""
    text = catalog.PublishContentRequest(kind="text", title="课程", body=BODY, access="paid")
    published = creator.call(CatalogServiceStub(creator.channel).PublishContent, text)
    price = billing.PriceProductRequest(
        product_id=published.content_id,
        title="课程",
        pricing="fixed",
        price=Money(amount_minor=LIST, currency="CNY"),
    )
    pricing = BillingServiceStub(creator.channel).PriceProduct
    eventually(lambda: creator.found(pricing, price, published.consistency_token))
    return str(published.content_id)


def announced(creator: Native, content_id: str) -> str:
    """The id of a promotion that takes a quarter off for an hour."""
    now, promotion_id = datetime.now(UTC), f"P{uuid.uuid4().hex[:8]}"
    promotion = billing.SchedulePromotionRequest(
        promotion_id=promotion_id,
        name="限时优惠",
        percent_off_bps=2500,
        starts_at=_stamp(now - timedelta(hours=1)),
        ends_at=_stamp(now + timedelta(hours=1)),
        product_ids=[content_id],
    )
    creator.call(BillingServiceStub(creator.channel).SchedulePromotion, promotion)
    return promotion_id


def _stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def ordered(buyer: Native, content_id: str, promotion_id: str = "") -> str:
    """The id of the order of a quote."""
    stub = BillingServiceStub(buyer.channel)
    wish = billing.CreateQuoteRequest(product_id=content_id, promotion_id=promotion_id)
    quote = buyer.call(stub.CreateQuote, wish).quote
    return str(buyer.call(stub.PlaceOrder, billing.PlaceOrderRequest(quote=quote)).order_id)


def paid(buyer: Native, order_id: str) -> Any:
    """The order, once it is paid at the provider."""
    stub = BillingServiceStub(buyer.channel)
    start = billing.StartPaymentRequest(order_id=order_id, provider="simulator")
    httpx.post(buyer.call(stub.StartPayment, start).pay_url, timeout=CALL_S).raise_for_status()

    def found() -> Any:
        orders = buyer.call(stub.ListOrders, billing.ListOrdersRequest()).orders
        return next((one for one in orders if (one.order_id, one.status) == (order_id, "paid")), None)

    return eventually(found)


def readable(buyer: Native, content_id: str) -> Any:
    """The content, or None while the buyer may not read it."""
    wanted = catalog.GetContentRequest(content_id=content_id)
    content = buyer.call(CatalogServiceStub(buyer.channel).GetContent, wanted)
    return content if content.access.allowed else None


def test_native_calls_make_the_first_sale(creator: Native, buyer: Native) -> None:
    catalogue, bills = CatalogServiceStub(buyer.channel), BillingServiceStub(buyer.channel)
    content_id = on_sale(creator)

    order = paid(buyer, ordered(buyer, content_id, announced(creator, content_id)))

    assert order.charged.amount_minor == CHARGED
    content = eventually(lambda: readable(buyer, content_id))
    assert (content.access.reason, content.body) == ("entitled", BODY)
    five = catalog.RecordInteractionRequest(
        content_id=content_id, interaction=catalog.Interaction(kind="rate", rating=5)
    )
    assert buyer.call(catalogue.RecordInteraction, five).status == "created"
    own = billing.ListPostingsRequest(account=f"creator_payable:{creator.member_id}")
    [posting] = eventually(lambda: creator.call(bills.ListPostings, own).postings)
    assert (posting.order_id, posting.amount.amount_minor) == (order.order_id, -OWED)
    with pytest.raises(grpc.RpcError) as refusal:
        ordered(buyer, content_id)
    assert (refusal.value.code(), reason_of(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_BOUGHT")

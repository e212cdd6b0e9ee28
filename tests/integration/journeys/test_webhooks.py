"""A creator names an address; a member buys; the address is told, signed, as the library of receivers verifies it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from community import Community, Session, eventually
from shop import bought, opened, quote
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from lyceum_local.stack import LocalStack

pytestmark = pytest.mark.one_machine("the receiver listens on this machine's loopback address")
Heard = tuple[dict[str, str], bytes]


@contextmanager
def listening() -> Iterator[tuple[str, list[Heard]]]:
    """A receiver on a free port: its address, and what it has heard."""
    heard: list[Heard] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep it, and say that it has arrived."""
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def registered(creator: Session, url: str, *types: str) -> dict[str, Any]:
    """A new endpoint of the creator's, once it is told of what happens."""
    made = creator.post("/v1/webhooks/endpoints", {"url": url, "types": types, "scope": "own"})
    creator.get_after("/v1/webhooks/endpoints", [made["consistency_token"]])
    return made


def test_a_sale_is_told_to_the_creator_signed_and_in_order(community: Community, stack: LocalStack) -> None:
    creator, buyer = community.member("creator"), community.member()
    with listening() as (url, heard):
        endpoint = registered(creator, url, "order.placed", "order.paid", "content.published")
        assert endpoint["secret"].startswith("whsec_")
        shop = opened(community, creator)
        order_id = bought(buyer, stack, quote(buyer, shop))
        eventually(lambda: len(heard) >= 3)
        hook = Webhook(endpoint["secret"])
        told = [hook.verify(body, headers) for headers, body in heard]
        assert {one["type"] for one in told} == {"content.published", "order.placed", "order.paid"}
        of_order = [one for one in told if one["data"].get("order_id") == order_id]
        assert [one["type"] for one in of_order] == ["order.placed", "order.paid"]
        assert of_order[1]["data"]["charged"] == {"amount_minor": 9_900, "currency": "CNY"}
        assert [one["id"] for one in told] == [headers["webhook-id"] for headers, _ in heard]

        path = f"/v1/webhooks/endpoints/{endpoint['endpoint_id']}"
        eventually(lambda: len(creator.get(f"{path}/deliveries", state="delivered")["deliveries"]) == 3)
        assert endpoint["secret"] not in str(creator.get(path))

        again = creator.post(f"{path}:redeliver", {"delivery_id": of_order[1]["id"]})
        assert again["redelivered"] == 1
        eventually(lambda: len(heard) == 4)
        assert heard[3][1] == next(body for headers, body in heard if headers["webhook-id"] == of_order[1]["id"])

        rotated = creator.post(f"{path}:rotateSecret", {})
        creator.post(f"{path}:endSecret", {})
        tested = creator.post(f"{path}:test", {})
        eventually(lambda: len(heard) == 5)
        headers, body = heard[4]
        assert Webhook(rotated["secret"]).verify(body, headers)["id"] == tested["delivery_id"]
        with pytest.raises(WebhookVerificationError):
            hook.verify(body, headers)


def test_an_endpoint_is_nobody_elses_and_leads_nowhere_inside(community: Community) -> None:
    creator, other = community.member("creator"), community.member("creator")
    with listening() as (url, _):
        endpoint = registered(creator, url, "order.paid")
    for path in ("", "/deliveries"):
        answer = other.request("GET", f"/v1/webhooks/endpoints/{endpoint['endpoint_id']}{path}")
        assert answer.status_code == 404
    for inside in (
        "https://169.254.169.254/latest",
        "http://10.0.0.1/",
        "https://postgres/",
        "https://[::ffff:7f00:1]/",
    ):
        asked = {"url": inside, "types": ["order.paid"], "scope": "own"}
        answer = creator.request("POST", "/v1/webhooks/endpoints", json=asked)
        assert answer.status_code == 400 and inside not in answer.text
    everything = {"url": url, "types": ["payment.failed"], "scope": "all"}
    assert creator.request("POST", "/v1/webhooks/endpoints", json=everything).status_code == 403
    consumer = {"url": url, "types": ["order.paid"], "scope": "own"}
    assert community.member().request("POST", "/v1/webhooks/endpoints", json=consumer).status_code == 403
    types = creator.get("/v1/webhooks/event-types")["types"]
    assert {one["name"] for one in types} >= {"order.placed", "order.paid", "content.published"}

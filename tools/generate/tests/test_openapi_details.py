"""The OpenAPI document says of each method what its policy and the gateway hold it to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from billing.pricing.parsing import PRICINGS
from catalog.content.domain import KINDS
from catalog.interaction.parsing import ACTS
from identity.domain.member import ROLES
from lyceum_gateway.method import Method
from lyceum_generate.__main__ import DESCRIPTORS, OPENAPI
from lyceum_generate.methods import described, method, pool_of
from lyceum_generate.openapi_details import words_of
from servicekit.policy import Policy

ROOT = Path(__file__).parents[3]
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / OPENAPI).read_text(encoding="utf-8"))
METHODS = [
    pytest.param(method(one, policy), policy, id=one.name) for one, policy in described(pool_of(ROOT / DESCRIPTORS))
]


def operation(known: Method) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][known.path][known.verb.lower()]
    return found


def headers(known: Method) -> set[str]:
    return {one["name"] for one in operation(known).get("parameters", []) if one["in"] == "header"}


def test_it_describes_every_method_and_no_other() -> None:
    known = {(one.values[0].path, one.values[0].verb.lower()) for one in METHODS if isinstance(one.values[0], Method)}
    assert known == {(path, verb) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}


@pytest.mark.parametrize(("known", "policy"), METHODS)
def test_whose_token_is_asked_for(known: Method, policy: Policy) -> None:
    asked = operation(known)["security"]
    [scheme] = DOCUMENT["components"]["securitySchemes"]
    assert ({scheme: []} in asked) == (not policy.anyone or bool(policy.reads))
    assert (asked == [] or {} in asked) == policy.anyone
    assert ("401" in operation(known)["responses"]) == bool(asked)


@pytest.mark.parametrize(("known", "policy"), METHODS)
def test_which_headers_count(known: Method, policy: Policy) -> None:
    assert ("idempotency-key" in headers(known)) == policy.idempotent
    assert ("x-lyceum-after" in headers(known)) == bool(policy.reads)


@pytest.mark.parametrize(("known", "policy"), METHODS)
def test_what_is_refused_is_described(known: Method, policy: Policy) -> None:
    responses = operation(known)["responses"]
    too_many = DOCUMENT["components"]["responses"][responses["429"]["$ref"].rpartition("/")[2]]
    assert "retry-after" in too_many["headers"]
    assert ("413" in responses) == ("requestBody" in operation(known)) == (known.verb != "GET")


@pytest.mark.parametrize(
    ("path", "kinds", "most"),
    [
        ("/register", {"application/json", "application/x-www-form-urlencoded"}, 16384),
        ("/publish", {"application/json", "application/x-www-form-urlencoded"}, 4194304),
        ("/v1/sessions", {"application/json"}, 262144),
        ("/v1/orders:batchImport", {"application/json"}, 4194304),
        ("/v1/callbacks/{provider}", {"*/*"}, 262144),
    ],
)
def test_what_a_body_may_be(path: str, kinds: set[str], most: int) -> None:
    body = DOCUMENT["paths"][path]["post"]["requestBody"]
    assert body["content"].keys() == kinds
    assert body["description"] == f"At most {most} bytes."


def test_every_reference_leads_somewhere() -> None:
    for line in (ROOT / OPENAPI).read_text(encoding="utf-8").splitlines():
        if "$ref:" in line:
            _, _, kind, name = line.partition("'")[2].rstrip("'").split("/", 3)
            assert name in DOCUMENT["components"][kind], line


CLOSED_LISTS = {
    ("catalog.v1.PublishContentRequest", "kind"): KINDS,
    ("catalog.v1.ImportContent", "kind"): KINDS,
    ("catalog.v1.PublishContentRequest", "access"): ("free", "paid"),
    ("catalog.v1.ImportContent", "access"): ("free", "paid"),
    ("catalog.v1.Interaction", "kind"): ACTS,
    ("billing.v1.PriceProductRequest", "pricing"): PRICINGS,
    ("identity.v1.RegisterRequest", "role"): ("consumer", "creator"),
    ("identity.v1.ImportMember", "role"): ("consumer", "creator"),
    ("identity.v1.LogInResponse", "role"): ROLES,
}


@pytest.mark.parametrize(("place", "words"), list(CLOSED_LISTS.items()), ids=str)
def test_closed_lists_are_those_of_the_code(place: tuple[str, str], words: tuple[str, ...]) -> None:
    message, field = place
    assert tuple(DOCUMENT["components"]["schemas"][f"lyceum.{message}"]["properties"][field]["enum"]) == words


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("`free` or `paid`; needed.", ["free", "paid"]),
        ("`fixed`, or `open_amount` (the buyer names it, at least `price`).", ["fixed", "open_amount"]),
        ("`created`, `duplicate` (done before) or `rejected`.", ["created", "duplicate", "rejected"]),
        ("`Bearer`.", []),
        ("E.g. `a` or `b`.", []),
        ("For `comment`; kept sealed.", []),
        ("`User registered successfully.`", []),
    ],
)
def test_only_what_a_comment_begins_with_is_a_closed_list(description: str, words: list[str]) -> None:
    assert words_of(description) == words

"""Every query of every service, asked by each role about each role: who is let in, told here by hand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import Default

from billing.bootstrap import DEFINITION as BILLING
from catalog.bootstrap import DEFINITION as CATALOG
from eventfold.errors import NotPermitted, Unauthenticated
from identity.bootstrap import DEFINITION as IDENTITY
from metrics.bootstrap import DEFINITION as METRICS
from notifications.bootstrap import DEFINITION as NOTIFICATIONS
from reco.bootstrap import DEFINITION as RECO
from servicekit.call import Call
from servicekit.caller import Caller
from servicekit.policy import Policy
from servicekit.testing.parts import Answering

MEMBERS = ("consumer", "creator")
OPERATORS = ("importer", "auditor", "admin")
ROLES = (*MEMBERS, *OPERATORS)
NOBODY = ""

OPEN = {
    "GetJwks",
    "GetOpenIdConfiguration",
    "GetContent",
    "ListContents",
    "ListComments",
    "GetProduct",
    "ListSimilar",
    "ListPopular",
    "ListTrending",
}
"""Everybody, also without a token; what of it is shown may still depend on who asks."""
OF_THE_CALLER = {
    "GetMember",
    "GetOrder",
    "ListOrders",
    "ListEntitlements",
    "CreateQuote",
    "ListContinueLearning",
    "GetPreferences",
    "ListSignals",
    "GetPublicTrend",
    "ListNotifications",
    "WatchNotifications",
}
"""Every role; they show the caller's own and nobody else's, or what is released about all."""
OF_ONE_MEMBER = {
    "GetMemberRetention": "member_id",
    "GetMemberActivity": "member_id",
    "Recommend": "member_id",
    "ListSimilarMembers": "member_id",
}
"""Members about themselves, operators about anybody."""
OF_ONE_CREATOR = {
    "ListPostings": ("account", "creator_payable:{}"),
    "GetActivityTrend": ("creator_id", "{}"),
    "GetActivityBreakdown": ("creator_id", "{}"),
    "GetCohorts": ("creator_id", "{}"),
    "GetRetentionForecast": ("creator_id", "{}"),
    "GetRevenueTrend": ("creator_id", "{}"),
    "GetRevenueForecast": ("creator_id", "{}"),
    "GetBuyingForecast": ("creator_id", "{}"),
    "GetFunnel": ("creator_id", "{}"),
    "GetAttribution": ("creator_id", "{}"),
    "GetContentQuality": ("creator_id", "{}"),
    "GetPrivacyBudget": ("owner", "{}"),
}
"""As above, by the creator's id or account; operators may leave it out."""
OF_CREATORS = {"GetPrivateBenchmark", "GetReleasedRetention"}
"""Creators and operators; whose cohorts a creator may see is decided behind the policy."""
OF_OWNERS = {"GetEndpoint", "ListEndpoints", "ListDeliveries", "ListEventTypes"}
"""Creators and admins, who may have endpoints; whose they see is decided behind the policy."""
OF_THE_PLATFORM = {
    "GetRetention",
    "GetActivity",
    "GetRevenue",
    "GetOverview",
    "GetTrialBalance",
    "ListOutcomes",
    "ListRestatements",
    "GetCalibration",
}
"""Operators."""


def policies() -> Mapping[str, tuple[str, Policy]]:
    """Every RPC with its service and policy."""
    definitions = (IDENTITY, CATALOG, BILLING, RECO, METRICS, NOTIFICATIONS)
    return {
        rpc: (service, policy)
        for definition in definitions
        for service, told in definition.policies.items()
        for rpc, policy in told.items()
    }


POLICIES = policies()
QUERIES = sorted(rpc for rpc, (_, policy) in POLICIES.items() if policy.rate == "query")


def request(rpc: str, **fields: str) -> Any:
    method = Default().FindServiceByName(POLICIES[rpc][0]).methods_by_name[rpc]
    return message_factory.GetMessageClass(method.input_type)(**fields)


def admitted(rpc: str, role: str, asked: Any, member_id: str = "me") -> bool:
    caller = Caller(member_id, role, "session") if role != NOBODY else None
    call = Call(rpc, {}, caller, datetime.now(UTC), "service", b"", Answering())  # type: ignore[arg-type]
    try:
        POLICIES[rpc][1].admit(call, asked)
    except (NotPermitted, Unauthenticated):
        return False
    return True


def test_every_query_is_told_here_once() -> None:
    told = [*OPEN, *OF_THE_CALLER, *OF_ONE_MEMBER, *OF_ONE_CREATOR, *OF_CREATORS, *OF_OWNERS, *OF_THE_PLATFORM]
    assert sorted(told) == QUERIES


@pytest.mark.parametrize(("rpc", "role"), list(itertools.product(QUERIES, (NOBODY, *ROLES))))
def test_who_asks_about_nobody_in_particular(rpc: str, role: str) -> None:
    if rpc in OPEN:
        allowed = True
    elif rpc in OF_THE_CALLER or rpc in OF_ONE_MEMBER:
        allowed = role != NOBODY
    elif rpc in OF_OWNERS:
        allowed = role in ("creator", "admin")
    else:
        allowed = role in OPERATORS or (rpc in OF_CREATORS and role == "creator")
    assert admitted(rpc, role, request(rpc)) is allowed


@pytest.mark.parametrize(("role", "other"), list(itertools.product((NOBODY, *ROLES), ROLES)))
@pytest.mark.parametrize("rpc", [*OF_ONE_MEMBER, *OF_ONE_CREATOR])
def test_who_asks_about_somebody(rpc: str, role: str, other: str) -> None:
    """Operators about anybody, whatever their role; everybody else about themselves alone."""
    field, form = (OF_ONE_MEMBER[rpc], "{}") if rpc in OF_ONE_MEMBER else OF_ONE_CREATOR[rpc]
    about_other, about_me = ({field: form.format(who)} for who in (f"a-{other}", "me"))
    assert admitted(rpc, role, request(rpc, **about_other)) is (role in OPERATORS)
    assert admitted(rpc, role, request(rpc, **about_me)) is (role != NOBODY)


def test_nobody_is_taken_for_another_whose_id_begins_or_ends_alike() -> None:
    for account in ("creator_payable:", "creator_payable:me2", "platform_revenue", "creator_payable:me "):
        assert not admitted("ListPostings", "creator", request("ListPostings", account=account))

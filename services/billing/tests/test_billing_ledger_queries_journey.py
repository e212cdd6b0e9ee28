"""What is read of billing: trial balances of a day, lists by pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from billing_house import NOW, BillingHouse, imported, stamp

from eventfold.errors import InvalidInput
from lyceum.billing.v1 import billing_pb2 as pb


async def test_the_trial_balance_of_a_day_knows_only_what_had_happened(house: BillingHouse) -> None:
    await house.priced()
    days = [datetime(1997, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    await imported(house, *[{"external_id": str(at.day), "ordered_at": stamp(at)} for at in days])
    await house.settle()
    house.enter_as("a", "auditor")
    answer = await house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(as_of=stamp(days[1])), None)
    lines = {line.account: (line.debit_minor, line.credit_minor, line.postings) for line in answer.lines}
    assert lines == {
        "provider_clearing:imported": (2000, 0, 2),
        "creator_payable:c1": (0, 1800, 2),
        "platform_revenue": (0, 200, 2),
    }
    assert [(total.currency, total.sum_minor) for total in answer.totals] == [("CNY", 0)]
    assert [source.projection for source in answer.freshness.sources] == ["ledger"]
    whole = await house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(as_of=stamp(NOW)), None)
    present = await house.rpc.GetTrialBalance(pb.GetTrialBalanceRequest(), None)
    assert list(whole.lines) == list(present.lines)


async def test_lists_are_paged_newest_first_without_gaps(house: BillingHouse) -> None:
    await house.priced()
    times = [datetime(1997, 1, 1 + number // 2, tzinfo=UTC) for number in range(5)]
    await imported(house, *[{"external_id": str(n), "ordered_at": stamp(at)} for n, at in enumerate(times)])
    await house.settle()
    house.enter_as("a", "auditor")
    seen: list[pb.Posting] = []
    token = ""
    for _ in range(20):
        page = await house.rpc.ListPostings(pb.ListPostingsRequest(page_size=4, page_token=token), None)
        seen.extend(page.postings)
        if not (token := page.next_page_token):
            break
    assert len({posting.posting_id for posting in seen}) == len(seen) == 15
    assert [p.occurred_at.seconds for p in seen] == sorted((p.occurred_at.seconds for p in seen), reverse=True)
    one = await house.rpc.ListPostings(pb.ListPostingsRequest(order_id=seen[0].order_id), None)
    assert sum(posting.amount.amount_minor for posting in one.postings) == 0 and len(one.postings) == 3
    with pytest.raises(InvalidInput):
        await house.rpc.ListPostings(pb.ListPostingsRequest(page_token="nonsense"), None)

"""One-time codes and the accounts that are claimed with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from identity_house import IMPORTER, House, claim, importing, refused, sent

from contracts.external_ids import imported_id
from identity.application.accounts import WrongCode
from identity.bootstrap import NotifierMissing, notifier
from identity.settings import IdentitySettings
from lyceum.identity.v1 import identity_pb2 as pb


async def test_an_imported_account_is_claimed_with_its_code_and_only_once(house: House) -> None:
    await house.call(importing("sleeper"), IMPORTER)
    await house.call(pb.IssueClaimCodeRequest(username="Sleeper"))
    code = sent(house)[-1]
    assert code["username"] == "sleeper"
    wrong = "0" * 8 if code["code"] != "0" * 8 else "1" * 8
    await refused(house.call(claim("sleeper", wrong)), WrongCode)
    assert (await house.call(claim("sleeper", code["code"]))).message == "Account claimed successfully."
    assert (await house.log_in("sleeper")).member_id == imported_id("member", "d", "0")
    await refused(house.call(claim("sleeper", code["code"])), WrongCode)


async def test_codes_are_asked_for_in_vain_without_a_hint(house: House) -> None:
    await house.register("claimed")
    await house.call(importing("waiting"), IMPORTER)
    names = ("waiting", "claimed", "nobody-here")
    answers = [(await house.call(pb.IssueClaimCodeRequest(username=name))).message for name in names]
    assert len(set(answers)) == 1
    assert sent(house)[-1]["username"] == "waiting"
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.claim_code_issued'") == [(1,)]


async def test_a_code_is_guessed_five_times_and_not_more(house: House) -> None:
    await house.call(importing("guessed"), IMPORTER)
    await house.call(pb.IssueClaimCodeRequest(username="guessed"))
    code = sent(house)[-1]["code"]
    for _ in range(5):
        await refused(house.call(claim("guessed", "wrong")), WrongCode)
    await refused(house.call(claim("guessed", code)), WrongCode)


async def test_a_code_of_another_account_is_no_code(house: House) -> None:
    await house.call(importing("one-1", "two-2"), IMPORTER)
    await house.call(pb.IssueClaimCodeRequest(username="one-1"))
    stolen = sent(house)[-1]["code"]
    await house.call(pb.IssueClaimCodeRequest(username="two-2"))
    if sent(house)[-1]["code"] != stolen:
        await refused(house.call(claim("two-2", stolen)), WrongCode)


def test_production_does_not_start_without_a_way_to_send_codes(tmp_path: Path) -> None:
    settings = IdentitySettings(database_url="x", kafka_bootstrap="x", key_dir=tmp_path)
    with pytest.raises(NotifierMissing):
        notifier(settings)

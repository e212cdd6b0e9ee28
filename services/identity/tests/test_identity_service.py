"""The service on a real PostgreSQL: what callers get, what is kept, and what they cannot do."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher

from contracts.external_ids import imported_id
from eventfold.decider import Ask, Context, Item
from eventfold.errors import AlreadyExists, InvalidInput, NotPermitted, Unauthenticated
from eventfold.sealing import KeyEncryptionKey, Sealed
from identity.adapters.passwords import Passwords, TooManyAttempts
from identity.application.accounts import WrongCode
from identity.application.password_hashes import PasswordHashes
from identity.application.sessions import LogInFailed
from identity.bootstrap import DEFINITION, NotifierMissing, notifier, parts
from identity.domain.member import MEMBER, RehashPassword
from identity.entrypoints.operator import create_importer
from identity.entrypoints.servicer import IdentityServicer
from identity.projections.directory import DIRECTORY
from identity.settings import IdentitySettings
from lyceum.identity.v1 import identity_pb2 as pb
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.database import make_pool
from servicekit.definition import Wiring, wire
from servicekit.migrate import check_version, migrate

PASSWORD = "password123"
PAST = datetime(1997, 5, 1, tzinfo=UTC)


@dataclass
class Answering:
    """Stands in for gRPC's side of a call."""

    sent: list[Any] = field(default_factory=list)

    async def send_initial_metadata(self, metadata: Any) -> None:
        self.sent.extend(metadata)

    def time_remaining(self) -> float:
        return 5.0


@dataclass
class House:
    """The service without its network edge; `now` is the time of the calls."""

    wiring: Wiring
    servicer: IdentityServicer
    url: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def call(self, request: Any, caller: Caller | None = None, **metadata: str) -> Any:
        name = type(request).__name__.removesuffix("Request")
        headers = {key.replace("_", "-"): value for key, value in metadata.items()}
        context: Any = Answering()
        enter_call(Call(name, headers, caller, self.now, "identity", b"k" * 32, context))
        return await getattr(self.servicer, name)(request, None)

    async def register(self, name: str, **fields: Any) -> Any:
        return await self.call(pb.RegisterRequest(username=name, password=PASSWORD, **fields))

    async def log_in(self, name: str, password: str = PASSWORD) -> Any:
        return await self.call(pb.LogInRequest(username=name, password=password))

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.wiring.pool.connection() as conn:
            return await (await conn.execute(query.encode(), values)).fetchall()


@pytest.fixture(scope="module")
def key_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
async def house(postgres_url: str, key_dir: Path) -> AsyncIterator[House]:
    name = f"identity{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?options=-csearch_path%3D{name}"
    settings = IdentitySettings(lyceum_profile="local", database_url=url, kafka_bootstrap="unused", key_dir=key_dir)
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}".encode())
        migrate(url, DEFINITION.migrations)
        async with make_pool(url, 8) as pool:
            wiring = wire(DEFINITION, settings, pool, lambda: None)
            yield House(wiring, IdentityServicer(parts(wiring)), url)
        await admin.execute(f"DROP SCHEMA {name} CASCADE".encode())


def importing(*names: str, dataset: str = "d", **changes: Any) -> pb.ImportMembersRequest:
    request = pb.ImportMembersRequest(dataset=dataset)
    for number, name in enumerate(names):
        item = request.items.add(external_id=str(number), username=name, role=changes.get("role", "consumer"))
        item.registered_at.FromDatetime(changes.get("registered_at", PAST))
    return request


IMPORTER = Caller("boss", "importer", "s")


async def refused(awaited: Any, kind: type[Exception]) -> Exception:
    with pytest.raises(kind) as refusal:
        await awaited
    return refusal.value


async def test_migrated_columns_are_those_that_the_projection_declares(house: House) -> None:
    check_version(house.url, DEFINITION.migrations)
    for table in DIRECTORY.tables:
        found = await house.rows(
            "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position",
            table.name,
        )
        kinds = [(kind.replace("timestamptz", "timestamp with time zone"), null) for kind, null in table.types]
        assert found == [(column, *kind) for column, kind in zip(table.columns, kinds, strict=True)]


async def test_a_registration_answers_exactly_its_sentence(house: House) -> None:
    answer = await house.register("user1")
    assert answer.message == "User registered successfully."
    assert [name.name for name, _ in answer.ListFields()] == ["message"]


async def test_a_name_is_taken_once_whatever_its_case(house: House) -> None:
    await house.register("Alice")
    refusal = await refused(house.register("aLICE"), AlreadyExists)
    assert "lice" not in str(refusal).lower().replace("username", "")


async def test_of_many_at_once_one_gets_the_name(house: House) -> None:
    answers = await asyncio.gather(*(house.register("rush") for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert all(isinstance(answer, AlreadyExists) for answer in answers if isinstance(answer, Exception))
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.registered'") == [(1,)]


async def test_a_registration_repeated_under_its_key_registers_once(house: House) -> None:
    for _ in range(2):
        request = pb.RegisterRequest(username="again", password=PASSWORD)
        assert (await house.call(request, idempotency_key="k1")).message == "User registered successfully."
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.registered'") == [(1,)]


@pytest.mark.parametrize("role", ["importer", "admin", "auditor", "x"])
async def test_nobody_registers_into_a_role_of_power(house: House, role: str) -> None:
    refusal = await refused(house.register("climber", role=role), InvalidInput)
    assert isinstance(refusal, InvalidInput) and refusal.field == "role"


async def test_nothing_personal_or_secret_is_in_the_database_in_plain(house: House) -> None:
    await house.register("Karoline", email="karo@example.org", phone="+4912345678")
    await house.log_in("Karoline")
    tables = ("SELECT t::text FROM events t", "SELECT t::text FROM idempotency t", "SELECT t::text FROM subject_key t")
    text = str([await house.rows(table) for table in tables]).lower()
    assert "password_hash" in text
    assert not [word for word in ("karoline", "karo@example", "4912345678", PASSWORD, "argon2") if word in text]


async def test_password_hashes_of_every_origin_are_sealed_and_open_for_their_member(house: House) -> None:
    """Given a password registered, claimed and renewed, then each event holds a box that opens to an Argon2id hash."""
    await house.register("origin-1")
    await house.call(importing("origin-2"), IMPORTER)
    await house.call(pb.IssueClaimCodeRequest(username="origin-2"))
    await house.call(claim("origin-2", sent(house)[-1]["code"]))
    member_id = (await house.log_in("origin-1")).member_id
    await weaken(house, member_id)
    await house.log_in("origin-1")
    query = "SELECT type, data->'password_hash' FROM events WHERE data->>'password_hash' IS NOT NULL ORDER BY position"
    stored = await house.rows(query)
    assert [name.removeprefix("member.") for name, _ in stored] == [
        "registered", "claimed", "password_rehashed", "password_rehashed",
    ]  # fmt: skip
    boxes = [Sealed(**box) for _, box in stored]
    async with house.wiring.pool.connection() as conn:
        keys = await house.wiring.subject_keys.get(conn, [box.subject_id for box in boxes])
    assert all(keys[box.subject_id].open(box).startswith("$argon2id$") for box in boxes)
    assert {box.subject_id for box in boxes} == {member_id, imported_id("member", "d", "0")}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The costly steps that were taken, in order."""
    taken: list[str] = []

    def count(owner: Any, method: str) -> None:
        original = getattr(owner, method)

        def counted(*given: Any) -> Any:
            taken.append(method)
            return original(*given)

        monkeypatch.setattr(owner, method, counted)

    count(KeyEncryptionKey, "unwrap")
    count(Passwords, "_fits")
    return taken


@pytest.mark.parametrize("name", ["claimed", "unclaimed", "unknown", "erased"])
async def test_a_failed_log_in_takes_the_same_work_whoever_is_meant(house: House, work: list[str], name: str) -> None:
    await house.register("claimed")
    await house.register("erased")
    await house.call(importing("unclaimed"), IMPORTER)
    await erase(house, (await house.log_in("erased")).member_id)
    work.clear()
    await refused(house.log_in(name, "not the one"), LogInFailed)
    assert work == ["unwrap", "_fits"]


async def test_whose_key_is_destroyed_cannot_log_in_with_the_right_password(house: House) -> None:
    await house.register("gone-1")
    await erase(house, (await house.log_in("gone-1")).member_id)
    await refused(house.log_in("gone-1"), LogInFailed)


async def test_an_account_whose_key_is_destroyed_is_not_claimed_and_says_no_more_than_one_unknown(house: House) -> None:
    await house.call(importing("gone-2"), IMPORTER)
    await house.call(pb.IssueClaimCodeRequest(username="gone-2"))
    code = sent(house)[-1]["code"]
    await erase(house, imported_id("member", "d", "0"))
    refusals = [await refused(house.call(claim(name, code)), WrongCode) for name in ("gone-2", "unknown")]
    assert len({(type(one), str(one)) for one in refusals}) == 1


async def test_nobody_is_not_an_account_although_it_has_a_key(house: House) -> None:
    await refused(house.log_in("unknown", "nobody has a password"), LogInFailed)
    assert not await house.rows("SELECT 1 FROM events")


async def erase(house: House, member_id: str) -> None:
    async with house.wiring.pool.connection() as conn:
        await house.wiring.subject_keys.destroy(conn, member_id)


async def weaken(house: House, member_id: str) -> None:
    """Give the member a hash of the password made under weaker parameters than today's."""
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    sealed = await PasswordHashes(house.wiring.pool, house.wiring.subject_keys).seal(member_id, weak)
    item = Item((Ask(MEMBER, member_id, RehashPassword(sealed)),))
    await house.wiring.store.handle(item, Context(house.now, "test", "c"))


async def test_the_own_account_is_opened_for_its_member(house: House) -> None:
    await house.register("用户一", email="a@b.c", role="creator")
    session = await house.log_in("用户一")
    me = await house.call(pb.GetMemberRequest(), Caller(session.member_id, "creator", "s"))
    assert (me.username, me.email, me.phone, me.role, me.claimed) == ("用户一", "a@b.c", "", "creator", True)


async def test_nobody_reads_an_account_without_a_token(house: House) -> None:
    await refused(house.call(pb.GetMemberRequest()), Unauthenticated)


async def test_log_in_fails_in_the_same_words_whatever_was_wrong(house: House) -> None:
    await house.register("known")
    await house.call(importing("unclaimed"), IMPORTER)
    tries = [("known", "not the one"), ("unknown", PASSWORD), ("unclaimed", PASSWORD), ("unclaimed", ""), ("\x00", "")]
    refusals = [await refused(house.log_in(*one), Unauthenticated) for one in tries]
    assert len({(type(one), str(one)) for one in refusals}) == 1


async def test_attempts_are_slowed_after_a_burst(house: House) -> None:
    await house.register("target")
    answers = [await asyncio.gather(house.log_in("target", "x"), return_exceptions=True) for _ in range(12)]
    assert any(isinstance(answer, TooManyAttempts) for [answer] in answers)


async def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_log_in(house: House) -> None:
    await house.register("old")
    member_id = (await house.log_in("old")).member_id
    await weaken(house, member_id)
    await house.log_in("old")
    hashes = PasswordHashes(house.wiring.pool, house.wiring.subject_keys)
    encoded = await hashes.open(await house.wiring.store.current(Ask(MEMBER, member_id, None)))
    assert encoded is not None and "m=19456,t=2" in encoded
    await house.log_in("old")
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.password_rehashed'") == [(2,)]


async def test_a_refresh_token_works_once_and_the_family_ends_with_its_reuse(house: House) -> None:
    await house.register("rotating")
    first = (await house.log_in("rotating")).refresh_token
    second = (await house.call(pb.RefreshSessionRequest(refresh_token=first))).refresh_token
    house.now += timedelta(seconds=11)
    await refused(house.call(pb.RefreshSessionRequest(refresh_token=first)), Unauthenticated)
    await refused(house.call(pb.RefreshSessionRequest(refresh_token=second)), Unauthenticated)


async def test_a_client_that_lost_the_answer_may_refresh_once_more_within_the_grace(house: House) -> None:
    await house.register("unlucky")
    first = (await house.log_in("unlucky")).refresh_token
    await house.call(pb.RefreshSessionRequest(refresh_token=first))
    house.now += timedelta(seconds=9)
    third = (await house.call(pb.RefreshSessionRequest(refresh_token=first))).refresh_token
    assert (await house.call(pb.RefreshSessionRequest(refresh_token=third))).access_token


async def test_a_made_up_token_ends_nobodys_session(house: House) -> None:
    """The session id stands in every access token: knowing it must not be enough to log its owner out."""
    await house.register("victim")
    token = (await house.log_in("victim")).refresh_token
    session_id = token.split(".")[0]
    for made_up in ("", "x", f"{session_id}.", f"{session_id}.abc", f"{session_id}.abc.def", f"{token}x", "\x00.x.y"):
        await refused(house.call(pb.RefreshSessionRequest(refresh_token=made_up)), Unauthenticated)
        await refused(house.call(pb.RevokeSessionRequest(refresh_token=made_up)), Unauthenticated)
    assert (await house.call(pb.RefreshSessionRequest(refresh_token=token))).access_token


async def test_logging_out_ends_the_session_and_may_be_repeated(house: House) -> None:
    await house.register("leaving")
    token = (await house.log_in("leaving")).refresh_token
    for _ in range(2):
        await house.call(pb.RevokeSessionRequest(refresh_token=token))
    await refused(house.call(pb.RefreshSessionRequest(refresh_token=token)), Unauthenticated)


async def test_imports_need_the_role(house: House) -> None:
    await refused(house.call(importing("x-1")), Unauthenticated)
    for role in ("consumer", "creator", "auditor"):
        await refused(house.call(importing("x-1"), Caller("m", role, "s")), NotPermitted)


async def test_an_import_run_twice_is_an_import_run_once(house: House) -> None:
    names = [f"member-{n}" for n in range(20)]
    first = await house.call(importing(*names), IMPORTER)
    before = await house.rows("SELECT count(*) FROM events")
    second = await house.call(importing(*names), IMPORTER)
    assert [one.status for one in first.results] == ["created"] * 20
    assert [one.status for one in second.results] == ["duplicate"] * 20
    assert [one.id for one in first.results] == [one.id for one in second.results]
    assert first.results[3].id == imported_id("member", "d", "3")
    assert await house.rows("SELECT count(*) FROM events") == before


async def test_even_an_import_that_changed_nothing_answers_with_a_token_to_wait_for(house: House) -> None:
    first = await house.call(importing("a-1"), IMPORTER)
    assert (await house.call(importing("a-1"), IMPORTER)).consistency_token == first.consistency_token != ""


async def test_bad_rows_are_refused_alone_and_named(house: House) -> None:
    await house.register("taken")
    request = importing("good", "no", "TAKEN", "late")
    request.items[3].registered_at.FromDatetime(house.now + timedelta(days=1))
    results = (await house.call(request, IMPORTER)).results
    assert [(one.status, one.error_field) for one in results] == [
        ("created", ""), ("rejected", "username"), ("rejected", "username"), ("rejected", "registered_at"),
    ]  # fmt: skip
    assert not any(one.id for one in results[1:])


async def test_an_import_may_not_hand_out_power_nor_be_unbounded(house: House) -> None:
    assert (await house.call(importing("boss-1", role="admin"), IMPORTER)).results[0].error_field == "role"
    await refused(house.call(importing(), IMPORTER), InvalidInput)
    await refused(house.call(importing(*(f"n-{n}" for n in range(501))), IMPORTER), InvalidInput)


async def test_an_imported_account_keeps_its_past_date(house: House) -> None:
    await house.call(importing("old-hand"), IMPORTER)
    query = "SELECT occurred_at, meta->>'backfill', meta->>'actor' FROM events WHERE type = 'member.registered'"
    assert await house.rows(query) == [(PAST, "true", "boss")]


def sent(house: House) -> list[dict[str, str]]:
    path = house.wiring.settings.key_dir / "notifications.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def claim(name: str, code: str) -> pb.ClaimAccountRequest:
    return pb.ClaimAccountRequest(username=name, code=code, password=PASSWORD)


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


async def test_the_keys_and_the_discovery_document_are_public(house: House) -> None:
    [key] = (await house.call(pb.GetJwksRequest())).keys
    assert (key.kty, key.crv, key.use, key.alg) == ("EC", "P-256", "sig", "ES256") and key.kid and key.x and key.y
    found = await house.call(pb.GetOpenIdConfigurationRequest())
    assert found.issuer == house.wiring.settings.jwt_issuer
    assert found.jwks_uri.endswith("/.well-known/jwks.json")


def test_production_does_not_start_without_a_way_to_send_codes(tmp_path: Path) -> None:
    settings = IdentitySettings(database_url="x", kafka_bootstrap="x", key_dir=tmp_path)
    with pytest.raises(NotifierMissing):
        notifier(settings)


def _operate(house: House, name: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    create_importer(DEFINITION, house.wiring.settings, ["--username", name, "--password-stdin"])


async def operate(house: House, name: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.to_thread(_operate, house, name, password, monkeypatch)


async def test_an_operator_makes_an_importer_and_it_is_recorded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        await operate(house, "loader", "operators-own", monkeypatch)
    assert (await house.log_in("loader", "operators-own")).role == "importer"
    query = "SELECT meta->>'actor', data->>'role' FROM events WHERE type = 'member.role_granted'"
    assert await house.rows(query) == [("operator", "importer")]


async def test_the_role_never_goes_to_somebody_who_took_the_name(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await house.register("loader")
    with pytest.raises(SystemExit) as left:
        await operate(house, "loader", "operators-own", monkeypatch)
    assert left.value.code == 1
    assert "operators-own" not in capsys.readouterr().err
    assert (await house.log_in("loader")).role == "consumer"


def test_key_files_are_private(key_dir: Path) -> None:
    made: Sequence[Path] = [path for path in key_dir.iterdir() if path.suffix in {".pem", ".key"}]
    assert {path.stat().st_mode & 0o077 for path in made} == {0}

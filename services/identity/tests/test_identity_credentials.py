"""Policy, hashing, throttle, tokens: what keeps credentials safe."""

from __future__ import annotations

import asyncio
import json
import math
import re
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from eventfold.errors import InvalidInput, PeerUnavailable, Unauthenticated
from identity.adapters.notifier import FileNotifier
from identity.adapters.passwords import (
    ATTEMPTS_PER_S,
    BURST_ATTEMPTS,
    STRANGERS_BURST,
    AttemptLimiter,
    Passwords,
    TooManyAttempts,
    common_passwords,
)
from identity.adapters.tokens import CODE_ALPHABET, Hashes, Issuer, Issuers, new_code
from identity.domain.policy import canonical, check_contact, check_password, check_username
from identity.keyring import SIGNING, key_kinds
from identity.settings import IdentitySettings
from servicekit import caller, keys
from servicekit.caller import CLOCK_LEEWAY_S, KeysUnavailable, TokenVerifier
from servicekit.keyring import KeyRing
from servicekit.rotation import Rotation

ISSUER, AUDIENCE = "https://issuer.test", "lyceum"
MINUTES, STEP_S = 30, 30


@pytest.fixture(scope="module")
def common() -> frozenset[str]:
    return common_passwords()


def test_production_refuses_a_common_password_and_says_why(common: frozenset[str]) -> None:
    with pytest.raises(InvalidInput, match="most used") as refused:
        check_password("password123", "user1", common)
    assert refused.value.field == "password"
    assert "password123" not in str(refused.value)


def test_the_local_profile_takes_the_same_password() -> None:
    assert check_password("password123", "user1", frozenset()) == "password123"


@pytest.mark.parametrize("password", ["PASSWORD123", "Qwertyuiop", "12345678"])
def test_case_does_not_hide_a_common_password(password: str, common: frozenset[str]) -> None:
    with pytest.raises(InvalidInput):
        check_password(password, "user1", common)


@pytest.mark.parametrize(("length", "accepted"), [(7, False), (8, True), (64, True), (128, True), (129, False)])
def test_length_bounds_hold_in_every_profile(length: int, accepted: bool) -> None:
    password = ("päss wörd✓" * 20)[:length]
    if accepted:
        assert check_password(password, "user1", frozenset()) == password
    else:
        with pytest.raises(InvalidInput):
            check_password(password, "user1", frozenset())


def test_no_rules_of_composition(common: frozenset[str]) -> None:
    assert check_password("vier woerter ohne ziffern", "user1", common)


def test_the_username_is_no_password() -> None:
    with pytest.raises(InvalidInput):
        check_password("xx-Alice-xx", "aLICE", frozenset())


@pytest.mark.parametrize("name", ["abc", "用户一", "a_b-9", "x" * 32, "学习abc"])
def test_usernames_that_are_taken(name: str) -> None:
    assert check_username(name) == name


@pytest.mark.parametrize("name", ["", "ab", "x" * 33, "a b c", "a@bc", "abc\n", "abc\x00", "ａｂｃ", "абв"])
def test_usernames_that_are_refused_without_echo(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_username(name)
    assert refused.value.field == "username"
    assert not name or name not in str(refused.value)


def test_names_that_differ_in_case_are_one() -> None:
    hashes = Hashes(b"k" * 32)
    assert hashes.username_index(canonical("Alice")) == hashes.username_index(canonical("aLICE"))


@pytest.mark.parametrize(
    ("email", "phone", "field"), [("x", None, "email"), ("a b@c", None, "email"), (None, "12x", "phone")]
)
def test_contacts_that_cannot_be_one_are_refused(email: str | None, phone: str | None, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_contact(email, phone)
    assert refused.value.field == field


async def test_a_password_fits_its_hash_exactly_as_received() -> None:
    passwords = Passwords()
    encoded = await passwords.hash("x" * 100 + "1")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(encoded, "x" * 100 + "1")
    assert not await passwords.verify(encoded, "x" * 100 + "2")
    assert not await passwords.verify(encoded, "X" * 100 + "1")


async def test_without_an_account_the_answer_is_no_after_the_same_work() -> None:
    passwords = Passwords()
    assert not await passwords.verify(None, "a password that nobody has")


async def test_weaker_hashes_are_told_from_todays() -> None:
    passwords = Passwords()
    assert passwords.outdated(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("x"))
    assert not passwords.outdated(await passwords.hash("x"))


async def test_hashing_leaves_the_event_loop_free() -> None:
    passwords = Passwords()
    work = asyncio.gather(*(passwords.hash("x") for _ in range(4)))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    await work
    assert turns > 10


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_after_a_burst_attempts_are_slowed_per_name() -> None:
    clock = Clock()
    limiter = AttemptLimiter(clock)
    for _ in range(BURST_ATTEMPTS):
        limiter.take("alice", "10.0.0.1")
    with pytest.raises(TooManyAttempts):
        limiter.take("alice", "10.0.0.1")
    limiter.take("bob", "10.0.0.1")
    clock.now_s += 1 / ATTEMPTS_PER_S
    limiter.take("alice", "10.0.0.1")


def test_a_flood_of_refused_attempts_does_not_keep_the_owner_out() -> None:
    """Given a flood at twenty a second, when the owner tries at each whole second, then some attempt gets through."""
    clock = Clock()
    limiter = AttemptLimiter(clock)
    passed = 0
    for _ in range(20 * 30):
        clock.now_s += 0.05
        try:
            limiter.take("alice", "10.0.0.1")
            passed += 1
        except TooManyAttempts:
            continue
    assert BURST_ATTEMPTS + 25 <= passed <= BURST_ATTEMPTS + 31


def tried(limiter: AttemptLimiter, name: str, client: str, times: int) -> int:
    """How many of so many attempts at once are let through."""
    passed = 0
    for _ in range(times):
        try:
            limiter.take(name, client)
            passed += 1
        except TooManyAttempts:
            continue
    return passed


def test_who_guesses_from_many_addresses_is_slowed_and_the_owner_at_home_is_not() -> None:
    limiter = AttemptLimiter(Clock())
    limiter.take("alice", "home")
    limiter.succeeded("alice", "home")
    assert sum(tried(limiter, "alice", f"10.0.0.{n}", BURST_ATTEMPTS) for n in range(50)) < STRANGERS_BURST
    assert tried(limiter, "alice", "home", BURST_ATTEMPTS - 1) == BURST_ATTEMPTS - 1
    assert tried(limiter, "bob", "10.0.0.1", 1) == 1


def test_what_follows_a_refresh_secret_follows_always_and_only_from_it() -> None:
    hashes = Hashes(b"k" * 32)
    first = hashes.new_refresh_secret("s1")
    following = hashes.following_refresh_secret("s1", first)
    assert following == hashes.following_refresh_secret("s1", first) != first
    assert hashes.issued("s1", following) and not hashes.issued("s2", following)
    assert following != hashes.following_refresh_secret("s1", hashes.new_refresh_secret("s1"))
    assert following != Hashes(b"l" * 32).following_refresh_secret("s1", first)


def test_a_refresh_secret_is_known_again_only_for_its_session() -> None:
    hashes = Hashes(b"k" * 32)
    secret = hashes.new_refresh_secret("s1")
    assert hashes.issued("s1", secret)
    assert not hashes.issued("s2", secret)
    assert not Hashes(b"x" * 32).issued("s1", secret)


@given(st.text(max_size=80))
def test_what_was_never_issued_is_not_known(text: str) -> None:
    assert not Hashes(b"k" * 32).issued("s1", text)


def test_one_key_makes_different_hashes_for_different_uses() -> None:
    hashes = Hashes(b"k" * 32)
    assert len({hashes.username_index("x"), hashes.refresh("x"), hashes.code("", "x"), hashes.code("m", "x")}) == 4


def test_codes_are_digits() -> None:
    codes = {new_code() for _ in range(50)}
    assert all(re.fullmatch(rf"[{CODE_ALPHABET}]{{5}}-[{CODE_ALPHABET}]{{5}}", code) for code in codes)
    assert len(codes) > 45


async def test_codes_go_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "notifications.jsonl"
    for code in ("11111111", "22222222"):
        await FileNotifier(path).send_code("m1", "用户", code)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["code"] for line in lines] == ["11111111", "22222222"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture(scope="module")
def signing() -> ECKey:
    return ECKey.import_key(keys.ec_pem())


def issued(signing: ECKey, *, audience: str = AUDIENCE, issuer: str = ISSUER, ago: timedelta = timedelta()) -> str:
    """A token for ten minutes. Verifiers go by the clock, so it is not issued when this file is read."""
    now = datetime.now(UTC) - ago
    return Issuer(signing, issuer, audience, timedelta(minutes=10)).access_token("m1", "creator", "s1", now)


def verifier(signing: ECKey) -> TokenVerifier:
    public = Issuer(signing, ISSUER, AUDIENCE, timedelta()).public_jwk()

    async def fetch() -> dict[str, object]:
        return {"keys": [{**public, "kid": signing.thumbprint(), "use": "sig", "alg": "ES256"}]}

    return TokenVerifier(fetch, ISSUER, AUDIENCE)


async def test_an_access_token_says_who_calls(signing: ECKey) -> None:
    known = await verifier(signing).verify(issued(signing))
    assert (known.member_id, known.role, known.session_id) == ("m1", "creator", "s1")


async def test_the_token_has_the_form_of_rfc_9068(signing: ECKey) -> None:
    token = jwt.decode(issued(signing), signing, algorithms=["ES256"])
    assert token.header == {"typ": "at+jwt", "alg": "ES256", "kid": signing.thumbprint()}
    assert token.claims["exp"] - token.claims["iat"] == 600


@pytest.mark.parametrize("wrong", ["audience", "issuer", "expired", "key", "type", "none", "truncated"])
async def test_any_other_token_is_refused(signing: ECKey, wrong: str) -> None:
    tokens = {
        "audience": issued(signing, audience="other"),
        "issuer": issued(signing, issuer="https://other.test"),
        "expired": issued(signing, ago=timedelta(minutes=11)),
        "key": issued(ECKey.import_key(keys.ec_pem())),
        "type": jwt.encode({"alg": "ES256", "typ": "JWT"}, {"sub": "m1", "role": "admin", "sid": "s"}, signing),
        "none": "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJtMSIsInJvbGUiOiJhZG1pbiJ9.",
        "truncated": issued(signing)[:-4],
    }
    with pytest.raises(Unauthenticated):
        await verifier(signing).verify(tokens[wrong])


async def test_a_token_that_was_valid_is_refused_when_it_has_ended(
    signing: ECKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking, token = verifier(signing), issued(signing)
    await checking.verify(token)
    after = time.time() + timedelta(minutes=10, seconds=CLOCK_LEEWAY_S + 1).total_seconds()
    monkeypatch.setattr(time, "time", lambda: after)
    with pytest.raises(Unauthenticated):
        await checking.verify(token)


async def test_a_token_that_was_valid_is_refused_when_its_key_is_withdrawn(
    signing: ECKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, token = [signing], issued(signing)

    async def fetch() -> dict[str, object]:
        return {"keys": [{**one.as_dict(private=False), "kid": one.thumbprint()} for one in published]}

    checking = TokenVerifier(fetch, ISSUER, AUDIENCE)
    await checking.verify(token)
    published[:] = [ECKey.import_key(keys.ec_pem())]
    await checking.verify(token)  # keys are kept for a while
    monkeypatch.setattr(caller, "KEYS_FRESH_S", -1.0)
    with pytest.raises(Unauthenticated):
        await checking.verify(token)


async def test_while_identity_is_away_those_who_wait_are_told_by_one_question(signing: ECKey) -> None:
    asked = 0

    async def away() -> dict[str, object]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise PeerUnavailable("identity", "UNAVAILABLE")

    checking = TokenVerifier(away, ISSUER, AUDIENCE)
    found = await asyncio.gather(*(checking.verify(issued(signing)) for _ in range(50)), return_exceptions=True)
    assert asked == 1 and {type(failure) for failure in found} == {KeysUnavailable}


async def test_while_identity_is_away_known_keys_serve_on_for_a_bounded_time(
    signing: ECKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.time()
    now, there = [begun], [True]
    monkeypatch.setattr(caller, "time", SimpleNamespace(time=lambda: now[0], monotonic=lambda: now[0]))

    async def fetch() -> dict[str, object]:
        if not there[0]:
            raise PeerUnavailable("identity", "UNAVAILABLE")
        return {"keys": [{**signing.as_dict(private=False), "kid": signing.thumbprint()}]}

    checking = TokenVerifier(fetch, ISSUER, AUDIENCE)
    await checking.verify(issued(signing))
    there[0] = False
    now[0] += caller.KEYS_FRESH_S + 1
    assert (await checking.verify(issued(signing))).member_id == "m1"
    for unknown in (issued(ECKey.import_key(keys.ec_pem())), issued(signing, ago=timedelta(hours=1))):
        with pytest.raises(PeerUnavailable):  # perhaps signed with a key that could not be fetched
            await checking.verify(unknown)
    now[0] += caller.KEYS_KEPT_S
    with pytest.raises(PeerUnavailable):
        await checking.verify(issued(signing, ago=timedelta(seconds=begun - now[0])))


def test_the_published_key_holds_nothing_private(signing: ECKey) -> None:
    assert set(Issuer(signing, ISSUER, AUDIENCE, timedelta()).public_jwk()) == {"kty", "crv", "x", "y"}


async def test_while_the_signing_key_is_replaced_every_token_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole replacement on one clock, with a verifier that fetches anew only when what it has is too old."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(caller, "time", SimpleNamespace(time=lambda: now[0], monotonic=lambda: now[0]))
    monkeypatch.setattr(caller, "KEYS_RETRY_S", math.inf)  # nor does it look again for a key that it does not know
    ring = KeyRing(tmp_path, SIGNING, keys.ec_pem, lambda: now[0])
    issuers = Issuers(ring.keys, ISSUER, AUDIENCE, timedelta(minutes=10))

    async def fetch() -> dict[str, object]:
        return {"keys": [{**one.public_jwk(), "kid": one.kid} for one in issuers.published()]}

    checking, live, kids = TokenVerifier(fetch, ISSUER, AUDIENCE), list[tuple[float, str]](), set[str]()
    [kind] = key_kinds(IdentitySettings(database_url="", kafka_bootstrap="", key_dir=tmp_path))
    for _ in range(MINUTES * 60 // STEP_S):
        if not Rotation(kind, KeyRing(tmp_path, SIGNING, keys.ec_pem), lambda _: None, 0, lambda: now[0]).run():
            kids.add(issuers.current().kid)
        token = issuers.current().access_token("m1", "creator", "s1", datetime.fromtimestamp(now[0], UTC))
        live = [(at, old) for at, old in live if now[0] < at + 590] + [(now[0], token)]
        for _, one in live:
            await checking.verify(one)
        now[0] += STEP_S
    assert len(kids) > 1, "the key was replaced meanwhile"

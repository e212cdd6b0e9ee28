"""A service's definition and environment as the operators' tools get them."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_registry import running

from contracts.golden import read_golden
from eventfold import EventCodec, FoldGroup
from eventfold.sealing.keys import KeyEncryptionKey
from eventfold_ops.deployment import NotConfigured, load
from servicekit import keys
from servicekit.definition import ServiceDefinition
from servicekit.key_commands import UNFINISHED, idempotency_ring, key_commands
from servicekit.operating import NoSuchGroup, deployment_of, group_of, groups_of
from servicekit.settings import ServiceSettings

CLAIMED = "lyceum.identity.member.claimed.v1"
GOLDEN = Path(__file__).parents[3] / "schemas" / "golden" / f"{CLAIMED}.0.json"


async def nothing(*_: object) -> list[str]:
    return []


DEFINITION = ServiceDefinition(
    name="sample",
    settings=ServiceSettings,
    migrations=Path(),
    codec=EventCodec({}),
    to_public=lambda _: None,
    register=nothing,
    topics=("lyceum.sample.thing",),
)


@pytest.fixture(autouse=True)
def key_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/none")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("KEY_DIR", str(tmp_path))
    monkeypatch.delenv("SCHEMA_REGISTRY_URL", raising=False)
    return tmp_path


def test_values_are_framed_by_fingerprint_unless_there_is_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    datum = read_golden(GOLDEN)
    plain = deployment_of(DEFINITION).avro.encode(CLAIMED, datum)
    with running() as registry:
        monkeypatch.setenv("SCHEMA_REGISTRY_URL", registry.url)
        avro = deployment_of(DEFINITION).avro
    assert (plain[:2], avro.encode(CLAIMED, datum)[:1]) == (b"\xc3\x01", b"\x00")
    assert avro.decode(plain) == datum


def test_the_key_that_wraps_is_told_where_it_is_and_never_made(key_dir: Path) -> None:
    deployment = deployment_of(DEFINITION)
    assert deployment.current_kek_id() is None and list(key_dir.iterdir()) == []
    key = KeyEncryptionKey.from_pem(keys.key_file(key_dir, "kek.pem", keys.rsa_pem))
    assert deployment.current_kek_id() == key.id


def test_a_build_changes_with_any_module_of_the_service_and_with_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "sampled"
    (package / "domain").mkdir(parents=True)
    for name in ("__init__", "public", "domain/folds"):
        (package / f"{name}.py").write_text("def to_public(_): return None\n")
    monkeypatch.syspath_prepend(tmp_path)
    definition = replace(DEFINITION, to_public=importlib.import_module("sampled.public").to_public)
    first = deployment_of(definition).build
    (package / "domain" / "folds.pyc").touch()
    assert deployment_of(definition).build == first
    (package / "domain" / "folds.py").write_text("def to_public(_): return 'another'\n")
    changed = deployment_of(definition).build
    (package / "domain" / "more.py").touch()
    assert len({first, changed, deployment_of(definition).build}) == 3


def sample() -> object:
    return deployment_of(DEFINITION)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("KEY_DIR", None, "key_dir"), ("SCHEMA_REGISTRY_URL", "nowhere", "SCHEMA_REGISTRY_URL is not an http")],
)
def test_what_is_missing_or_wrong_in_the_environment_is_named_without_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, says: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    if value:
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with pytest.raises(NotConfigured, match=says) as refused:
        load("test_operating:sample")
    assert "secret" not in str(refused.value)


def test_a_deployment_does_not_show_its_password() -> None:
    assert "secret" not in repr(deployment_of(DEFINITION))


@pytest.mark.parametrize(
    ("topic_prefix", "group_prefix", "group"),
    [("", "", "lyceum.test"), ("t1.", "", "t1.lyceum.test"), ("t1.", "g1.", "g1.lyceum.test")],
)
def test_installations_with_topics_of_their_own_have_groups_of_their_own(
    topic_prefix: str, group_prefix: str, group: str
) -> None:
    settings: Any = SimpleNamespace(topic_prefix=topic_prefix, group_prefix=group_prefix, fold_groups="")
    definition: Any = SimpleNamespace(name="test")
    assert group_of(definition, settings) == group


def test_keys_are_listed_and_replaced_by_a_command_of_every_service(
    key_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = DEFINITION.settings()
    ring = idempotency_ring(key_dir)
    [first] = ring.keys()
    with pytest.raises(SystemExit) as unfinished:
        key_commands(DEFINITION, settings, ["rotate-idempotency", "--wait-s", "0"])
    assert unfinished.value.code == UNFINISHED and "s until all readers know" in capsys.readouterr().out
    key_commands(DEFINITION, settings, ["list"])
    listed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(name, state) for name, _, state, *_ in listed] == [("idempotency", "current"), ("idempotency", "next")]
    ring.reload()
    assert ring.keys()[0] == first and len(ring.keys()) == 2


@pytest.mark.parametrize(
    ("named", "runs", "group"),
    [
        ("", ["money", "feed"], "p.lyceum.sample"),
        ("feed", ["feed"], "p.lyceum.sample.feed"),
        (" feed, money ", ["money", "feed"], "p.lyceum.sample.feed-money"),
    ],
)
def test_a_worker_runs_the_groups_of_folds_that_it_is_told_to_in_a_consumer_group_of_their_own(
    monkeypatch: pytest.MonkeyPatch, named: str, runs: list[str], group: str
) -> None:
    definition = replace(DEFINITION, groups=(FoldGroup("money"), FoldGroup("feed", parks=True)))
    monkeypatch.setenv("FOLD_GROUPS", named)
    monkeypatch.setenv("TOPIC_PREFIX", "p.")
    settings = ServiceSettings()
    assert [one.name for one in groups_of(definition, settings)] == runs
    assert group_of(definition, settings) == group


def test_a_group_of_folds_that_is_not_there_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLD_GROUPS", "money,fed")
    with pytest.raises(NoSuchGroup, match="there is no fed; the service has money"):
        groups_of(replace(DEFINITION, groups=(FoldGroup("money"),)), ServiceSettings())

"""`make faults` cut short: each kind of fault once, on real processes under load. Minutes, not an hour."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installation import Installation, installed
from tests.faults.kinds import KINDS, Kind
from tests.faults.trial import PROMISED, run
from tests.faults.verdict import TopicReader

pytestmark = pytest.mark.one_machine("processes of its own")

RATE_PER_S = 60.0


@pytest.fixture(scope="module")
def seed() -> int:
    chosen = random.SystemRandom().getrandbits(32)
    print(f"seed {chosen}: `make faults SEED={chosen}` makes the same choices")
    return chosen


@pytest.fixture(scope="module")
def reader() -> TopicReader:
    return TopicReader()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with installed(folder, RATE_PER_S) as one:
        yield one


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_work_goes_on_with_nothing_lost_doubled_or_out_of_order(
    installation: Installation, reader: TopicReader, seed: int, kind: Kind
) -> None:
    trial = run(installation, reader, kind, 0, seed)
    assert trial.fired, "the fault is proven"
    # How soon, `make faults` tells: this may run on a machine that is slow or busy with other tests.
    assert trial.verdict.commands > 0 and [one for one in trial.broken if PROMISED not in one] == []

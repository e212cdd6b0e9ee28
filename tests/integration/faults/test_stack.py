"""`make faults-stack` cut short: each cheap kind once, the whole product, judged through its stores and topics."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stack.kinds import KINDS, Kind
from tests.faults.stack.product import Product, built
from tests.faults.stack.trial import run

pytestmark = pytest.mark.one_machine("a product of its own, in processes")

CHEAP = [kind for kind in KINDS if kind.cheap]


@pytest.fixture(scope="module")
def seed() -> int:
    chosen = random.SystemRandom().getrandbits(32)
    print(f"seed {chosen}: `make faults-stack SEED={chosen}` makes the same choices")
    return chosen


@pytest.fixture(scope="module")
def product(seed: int) -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="lyceum-") as folder, built(Path(folder), seed) as one:
        yield one


@pytest.mark.parametrize("kind", CHEAP, ids=[kind.name for kind in CHEAP])
def test_given_the_whole_product_under_load_when_a_fault_is_over_then_everything_agrees_with_what_was_acknowledged(
    product: Product, seed: int, kind: Kind
) -> None:
    if kind.needs_disks and not product.disks:
        pytest.skip("no file can be mounted here; cut-segment comes close")
    trial = run(product, kind, 0, seed)
    assert trial.acts > 0 and trial.broken == []

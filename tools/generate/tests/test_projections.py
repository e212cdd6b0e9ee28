"""What every projection of every service is put through: types that it does not know, cuts, and other orders of topics
and partitions."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.golden import read_golden
from eventfold import Projection, PublicRecord, PublicType
from eventfold.testing import cut, folded, rearranged, record
from lyceum_generate.services import definitions

GOLDEN = Path(__file__).parents[3] / "schemas" / "golden"
PROJECTIONS = [
    pytest.param(projection, id=f"{name}-{projection.name}")
    for name, definition in definitions().items()
    for projection in definition.projections
]
TIMES = 3
"""How often each type of event comes."""
PARTITIONS = 2


def facts(projection: Projection) -> list[PublicRecord]:
    """Each type that the projection names some times over, as its golden says, on the partitions of its topic."""
    each = [(n, kind) for n in range(TIMES) for kind in projection.on]
    return [
        record(kind, read_golden(GOLDEN / f"{kind.name}.0.json"), seq, partition=n % PARTITIONS)
        for seq, (n, kind) in enumerate(each, 1)
    ]


def unknown(kind: PublicType, seq: int) -> PublicRecord:
    """A type that nobody has told the projection of, on a topic that it reads, without any of the usual fields."""
    return record(f"{kind.topic}.reconsidered.v1", {"of_no_use": True}, seq)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_type_that_a_projection_does_not_name_changes_nothing(projection: Projection) -> None:
    events = facts(projection)
    with_unknown = [one for event in events for one in (unknown(projection.on[0], event.seq), event)]
    assert folded(projection, with_unknown) == folded(projection, events) != {t.name: {} for t in projection.tables}


@pytest.mark.parametrize("projection", PROJECTIONS)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 5))
def test_rows_do_not_depend_on_how_topics_and_partitions_interleave_or_batches_are_cut(
    projection: Projection, seed: int, size: int
) -> None:
    events = facts(projection)
    shuffled = list(rearranged(events, random.Random(seed)))
    assert folded(projection, *cut(shuffled, size)) == folded(projection, events)

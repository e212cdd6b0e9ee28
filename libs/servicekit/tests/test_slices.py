"""What slices make together beside their events, folds and RPCs."""

from __future__ import annotations

from typing import Any, cast

import pytest

from servicekit.rotation import KeyKind
from servicekit.slices import Slice, background_of, made_of


async def work() -> None:
    """Ends at once."""


def beside(*names: str) -> Slice:
    return Slice(background=lambda _: dict.fromkeys(names, work))


def test_a_service_runs_what_its_slices_run() -> None:
    assert background_of([beside("a"), Slice(), beside("b", "c")], cast(Any, None)) == dict.fromkeys("abc", work)


def test_two_slices_do_not_run_work_of_one_name() -> None:
    with pytest.raises(ValueError, match="work of one name"):
        background_of([beside("a"), beside("a")], cast(Any, None))


def test_a_service_has_the_kinds_of_key_of_its_slices() -> None:
    first, second = (KeyKind(name, f"{name}.key", lambda: b"") for name in ("first", "second"))
    slices = [Slice(key_kinds=lambda _: [first]), Slice(), Slice(key_kinds=lambda _: [second])]
    made = made_of(
        slices,
        name="x",
        settings=cast(Any, None),
        migrations=cast(Any, None),
        grpc_service="x",
        add_servicer=lambda *_: None,
    )
    assert list(made.key_kinds(None)) == [first, second]

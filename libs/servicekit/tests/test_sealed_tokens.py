"""Consistency tokens as clients hold them."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventfold.errors import InvalidInput
from eventfold.reading.consistency import Token
from servicekit.sealed_tokens import MAX_CHARS, opened, sealed

SECRET, OTHER = b"k" * 32, b"l" * 32
TOKENS = st.builds(Token, st.just("catalog"), st.integers(1, 2**63 - 1), st.booleans(), st.just("0a1b2c3d"))


@given(token=TOKENS)
def test_its_own_service_reads_it_and_under_a_key_that_was_replaced_too(token: Token) -> None:
    text = sealed(token, SECRET)
    assert opened(text, "catalog", [OTHER, SECRET]) == token
    assert text == sealed(token, SECRET), "a repeated command is answered alike"


@given(token=TOKENS)
def test_others_learn_its_service_and_nothing_else(token: Token) -> None:
    text = sealed(token, SECRET)
    assert opened(text, "billing", [OTHER]) == Token("catalog", 0)
    assert opened(text, "billing", [OTHER]).text == text
    box = text.partition(".")[2]
    plain = base64.urlsafe_b64decode(box + "=" * (-len(box) % 4))
    assert token.encode().encode() not in plain and re.fullmatch(r"[\w-]+", box)


def test_neighbours_do_not_look_alike() -> None:
    boxes = [sealed(Token("catalog", position), SECRET).partition(".")[2] for position in range(1, 50)]
    assert len({box[:8] for box in boxes}) == len(boxes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "catalog",
        "catalog.",
        "catalog.AAAA",
        "catalog.§",
        f"catalog.{'A' * MAX_CHARS}",
        sealed(Token("catalog", 1), OTHER),
        Token("catalog", 1).encode(),
        sealed(Token("billing", 1), SECRET).replace("billing", "catalog"),
    ],
)
def test_what_it_did_not_make_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        token = opened(text, "catalog", [SECRET])
        assert token.service == "catalog", "a token of another service"
        raise AssertionError(f"{token} was opened")

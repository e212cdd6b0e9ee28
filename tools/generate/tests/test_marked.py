"""Marked parts of hand-written files."""

from __future__ import annotations

import pytest

from lyceum_generate.marked import NoSuchPart, with_block, with_lists

LIST = 'roots = ["a"] # generated: services\nothers = ["b"]\n'
BLOCK = "before\n<!-- generated: services -->\nold\nolder\n<!-- end -->\nafter\n"


def test_a_marked_list_is_replaced_and_others_stay() -> None:
    assert with_lists(LIST, {"services": ["x", "y"]}) == 'roots = ["x", "y"] # generated: services\nothers = ["b"]\n'


def test_a_long_list_takes_a_line_for_each_and_is_found_again() -> None:
    names = [f"a_rather_long_name_{n}" for n in range(5)]
    made = with_lists(LIST, {"services": names})
    assert '[\n  "a_rather_long_name_0",\n' in made and with_lists(made, {"services": ["a"]}) == LIST


@pytest.mark.parametrize("text", [LIST, 'roots = ["a"]\n'])
def test_a_mark_that_stands_for_nothing_and_a_file_without_one_are_refused(text: str) -> None:
    with pytest.raises(NoSuchPart):
        with_lists(text, {"slices": []})


def test_the_lines_of_a_block_are_replaced() -> None:
    made = with_block(BLOCK, "services", ["new"])
    assert made == "before\n<!-- generated: services -->\nnew\n<!-- end -->\nafter\n"
    with pytest.raises(NoSuchPart):
        with_block(BLOCK, "targets", [])

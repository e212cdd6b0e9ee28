"""Whose token is asked for, as the rules say it: the same on both roads, and nothing opens what is closed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lyceum_gateway.method import Method
from lyceum_gateway.methods import METHODS
from lyceum_gateway.tables import token_rules

RULES: list[dict[str, Any]] = list(token_rules())
ASKED = {None: "ignored", "requires_any": "checked", "provider_name": "demanded"}


def asked(verb: str, path: str) -> str:
    """What the first rule that matches asks for."""
    for rule in RULES:
        match = rule["match"]
        verbs = [one["string_match"]["exact"] for one in match.get("headers", [])]
        by_path = match.get("path") == path or match.get("prefix") == "/"
        by_template = re.fullmatch(match.get("safe_regex", {}).get("regex", "(?!)"), path)
        if (by_path or by_template) and verb in (verbs or [verb]):
            return ASKED[next(iter(rule.get("requires", {})), None)]
    raise AssertionError(path)


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.grpc.rpartition("/")[2])
def test_both_roads_ask_for_the_same(method: Method) -> None:
    path = re.sub(r"\{\w+\}", "some-id", method.path)
    assert asked(method.verb, path) == asked("POST", method.grpc) == method.bearer


def test_another_method_of_an_open_path_is_closed() -> None:
    assert asked("POST", "/v1/contents") == asked("DELETE", "/register") == "demanded"
    assert asked("GET", "/v1/contents/a/b/c") == asked("GET", "/nowhere") == "demanded"


def test_log_in_is_open_and_the_ledger_is_not() -> None:
    found = {one.grpc.rpartition("/")[2]: one.bearer for one in METHODS}
    assert (found["LogIn"], found["ListContents"], found["ListPostings"]) == ("ignored", "checked", "demanded")

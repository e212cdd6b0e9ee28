"""The oracle against figures worked out by hand, and its independence."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lyceum_demo import ids, oracle

PURCHASES = """\
 00004 0001 19980101  1   10.00
 00004 0001 19980102  1   20.05
 00004 0001 19980102  1   20.05
 00021 0002 19980102  1    0.00
 00033 0003 19980101  1    0.09
"""
"""Member 1 buys most and is live. Line 5 is promoted: list 2.09, charged 0.09, fee 0."""

DAY = 86_400
START = 883_612_800  # 1998-01-01T00:00:00Z
RATINGS = [
    (1, 1, START),
    (1, 2, START),
    (2, 1, START + DAY),
    (2, 3, START + DAY),
    (3, 1, START + 2 * DAY),
    (3, 2, START + 2 * DAY),
    (4, 3, START + 3 * DAY),
    (4, 2, START + 3 * DAY),
    (4, 1, START + 3 * DAY),
]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(oracle, "ASKED_MIN_RATINGS", 2)
    (tmp_path / "purchases").write_text(PURCHASES)
    lines = [f"{member}\t{item}\t4\t{second}" for member, item, second in RATINGS]
    (tmp_path / "ratings").write_text("\n".join(["user\titem\trating\ttime", *lines]) + "\n")
    (tmp_path / "items").write_text("id\ttitle\tyear\tclass\n1\tOne\t\t\n2\tTwo\t\t\n3\tThree\t\t\n4\tFour\t\t\n")
    purchases = oracle.read_purchases(tmp_path / "purchases")
    ratings, titles = oracle.read_ratings(tmp_path / "ratings", 0), oracle.read_titles(tmp_path / "items")
    return oracle.figures(oracle.World(purchases, ratings, titles, oracle.most_frequent(purchases, 3), "d"))


def test_overview_leaves_out_what_was_bought_live(found: dict[str, Any]) -> None:
    assert found["overview"]["members"] == 4 + oracle.CREATORS
    assert (found["overview"]["orders_paid"], found["overview"]["rate"], found["overview"]["contents"]) == (2, 9, 4)


def test_the_ledger_has_live_orders_rounds_fees_down_and_balances(found: dict[str, Any]) -> None:
    """Charged: live 1000 + 2005 + 2005 (fees 100 + 200 + 200), imported 9 (fee 0) and a free one."""
    ledger = found["ledger"]
    assert ledger["provider_clearing:simulator USD"] == {"debit_minor": 5010, "credit_minor": 0, "postings": 3}
    assert ledger["provider_clearing:imported USD"] == {"debit_minor": 9, "credit_minor": 0, "postings": 1}
    assert ledger["platform_revenue USD"] == {"debit_minor": 0, "credit_minor": 500, "postings": 3}
    assert ledger["creator_payable USD"] == {"debit_minor": 0, "credit_minor": 4519, "postings": 4}
    assert ledger["promotion_discounts USD"] == {"debit_minor": 200, "credit_minor": 0, "postings": 1}
    assert ledger["total USD"] == {"sum_minor": 0}


def test_retention_counts_days_that_are_followed_by_an_observed_one(found: dict[str, Any]) -> None:
    """Active: 1 on day 1; 2 on day 2 (a rating and a free order); 3 on days 1 and 3; 4 on day 4, which is the last."""
    retention = found["retention"]
    assert (retention["exposed"], retention["survived"], retention["p"], retention["L(7)"]) == (4, 0, 0.0, 0.0)


def test_activity_and_revenue(found: dict[str, Any]) -> None:
    members = 4 + oracle.CREATORS
    assert found["activity"]["activity"] == pytest.approx(9 / members)
    assert found["activity"]["weighted_activity"] == pytest.approx(18 / members)
    revenue = found["revenue"]
    assert (revenue["payers"], revenue["revenue_minor"], revenue["mean_spend_fraction"]) == (1, 9, "9")
    assert revenue["conversion"] == pytest.approx(1 / members)


def test_recommendations_by_hand(found: dict[str, Any]) -> None:
    """n(1)=4, n(2)=3, n(3)=2; co(1,3)=2, co(2,3)=1. Member 1 has 1 and 2: score(3) = 2/sqrt(8) + 1/sqrt(6)."""
    first, second = found["recommendations"]["1"]
    assert (first["title"], first["reason"]) == ("Three", "similar")
    assert first["score"] == round(2 / math.sqrt(8) + 1 / math.sqrt(6), 9)
    assert (second["title"], second["score"], second["reason"]) == ("Four", 0.0, "popular")
    assert list(found["recommendations"]) == ["1", "2", "3"]


def test_its_ids_are_those_that_imports_give() -> None:
    assert oracle.content_id("d", 7) == ids.imported_id("content", "d", "7")


def test_it_imports_nothing_but_the_standard_library_and_numpy() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) == {"numpy"}


def test_it_runs_by_itself_from_files(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(PURCHASES)
    (tmp_path / "r").write_text("h\n1\t1\t4\t883612800\n")
    (tmp_path / "i").write_text("h\n1\tOne\t\t\n")
    files = ["--purchases", str(tmp_path / "p"), "--ratings", str(tmp_path / "r"), "--items", str(tmp_path / "i")]
    command = [sys.executable, "-I", str(Path(oracle.__file__)), *files, "--dataset", "d"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ran.stdout)["overview"]["orders_placed"] == 5

"""The example of the TypeScript client makes its sale behind the gateway, run by Node."""

from __future__ import annotations

import subprocess
from pathlib import Path

from community import Community
from compiled import built

EXAMPLE_S = 120


def test_the_example_makes_its_sale(community: Community, tmp_path: Path) -> None:
    example = built(tmp_path) / "examples/first_sale.js"
    ran = subprocess.run(
        ["node", str(example), community.url], capture_output=True, text=True, timeout=EXAMPLE_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    sale, order, reads, orders, again = ran.stdout.splitlines()
    assert sale.startswith("on sale: ")
    assert order.startswith("paid: ") and order.endswith(", 9900 CNY")
    assert reads == "reads: 变量、循环与函数。"
    assert orders == f"orders: {order.split()[1]}"
    assert again == "again: ALREADY_BOUGHT"

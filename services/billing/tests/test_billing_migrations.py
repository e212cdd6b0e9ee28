"""Migrations that carry over what is under way."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
from billing_house import NOW
from servicing import migrated

from billing.bootstrap import DEFINITION
from billing.domain.payment import ASK_AFTER
from servicekit.migrate import migrate

BEFORE = ("0001_billing.py", "0002_topic_generations.py", "0003_public_values.py")
EVENT = """INSERT INTO events
(stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta)
VALUES (%s, %s, %s, 1, '{}', 'k', %s, %s, '{"correlation_id": "c"}')"""


async def test_payments_that_were_open_before_are_due_and_settled_ones_are_not(
    postgres_url: str, tmp_path: Path
) -> None:
    for name in BEFORE:
        shutil.copy(DEFINITION.migrations / name, tmp_path)
    async with (
        migrated(postgres_url, replace(DEFINITION, migrations=tmp_path)) as url,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as conn,
    ):
        for stream, version, kind in (
            ("payment-open", 1, "payment.initiated"), ("payment-paid", 1, "payment.initiated"),
            ("payment-paid", 2, "payment.captured"), ("order-other", 1, "order.placed"),
        ):  # fmt: skip
            await conn.execute(EVENT, [stream, version, kind, NOW - timedelta(days=1), NOW])
        migrate(url, DEFINITION.migrations)
        rows = await (await conn.execute("SELECT * FROM due_date")).fetchall()
        assert rows == [("payment", "open", NOW + ASK_AFTER, 0, 1, NOW, "c")]

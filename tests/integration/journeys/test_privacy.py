"""What members entrust to Lyceum is never plain: on no topic, in no log, no stored event, no other table."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer
from community import PASSWORD, Community
from operating import every_log

from eventfold.publish.brokers import Brokers
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack


async def every_byte_on_kafka(brokers: Brokers) -> bytes:
    consumer = AIOKafkaConsumer(**brokers.client(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        topics = [topic for topic in await consumer.topics() if not topic.startswith("__")]
        consumer.subscribe(topics)
        found = bytearray()
        while batches := await consumer.getmany(timeout_ms=2000):
            for record in (record for batch in batches.values() for record in batch):
                found += (record.key or b"") + (record.value or b"")
                found += b"".join(name.encode() + value for name, value in record.headers)
        return bytes(found)
    finally:
        await consumer.stop()


async def test_personal_text_stays_sealed(community: Community, stack: LocalStack) -> None:
    mark = uuid.uuid4().hex[:10]
    name, email, phone = f"secret-{mark}", f"{mark}@example.org", "+8613800138000"
    anonymous = community.anonymous()
    anonymous.post(
        "/register", {"username": name, "password": PASSWORD, "email": email, "phone": phone, "role": "creator"}
    )
    member = community.log_in(name)
    byline, comment = f"byline-{mark}", f"comment-{mark}"
    work = {"kind": "text", "title": "t", "body": "b", "byline": byline, "access": "free"}
    content_id = member.post("/v1/contents", work)["content_id"]
    said = member.post(f"/v1/contents/{content_id}/interactions", {"kind": "comment", "comment": comment})
    shown = member.get_after(f"/v1/contents/{content_id}/comments", [said["consistency_token"]])
    assert shown["comments"][0]["text"] == comment
    own = member.get("/v1/members/me")
    assert (own["username"], own["email"], own["phone"]) == (name, email, phone)

    public = await every_byte_on_kafka(stack.brokers)
    assert content_id.encode() in public, "the event itself is there"
    logs = every_log(stack)
    with psycopg.connect(stack.admin_url.rsplit("/", 1)[0] + "/" + _database(stack)) as conn:
        stored = "".join(
            str(row)
            for service in ("identity", "catalog")
            for row in conn.execute(f"SELECT data, meta FROM {service}.events").fetchall()  # noqa: S608
        ).encode()
    assert b"password_hash" in stored, "the hash itself is there, sealed"
    for secret in (mark, email, phone, PASSWORD, "$argon2id$"):
        assert all(secret.encode() not in place for place in (public, logs, stored)), secret


def test_no_service_reads_anothers_tables(stack: LocalStack) -> None:
    for service in SERVICES:
        with psycopg.connect(stack.database_url(service)) as conn:
            for other in set(SERVICES) - {service}:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"SELECT 1 FROM {other}.fold_position")  # noqa: S608
                conn.rollback()


def _database(stack: LocalStack) -> str:
    return psycopg.conninfo.conninfo_to_dict(stack.database_url("identity"))["dbname"] or ""  # type: ignore[return-value]

"""From requests to checked interactions; every refusal names its field."""

from __future__ import annotations

import uuid

from catalog.interaction.application import Act
from catalog.interaction.domain import IMPORTED
from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput
from lyceum.catalog.v1 import catalog_pb2 as pb
from servicekit import validate
from servicekit.call import Call
from servicekit.imports import MAX_EXTERNAL_ID_CHARS

MAX_COMMENT_CHARS = 5_000
MAX_CHANNEL_CHARS = 50
ACTS = ("view", "like", "unlike", "comment", "share", "rate", "complete")


def act(interaction: pb.Interaction, member_id: str, content_id: str) -> Act:
    """An interaction of the caller."""
    kind = validate.one_of(interaction.kind, "kind", ACTS)
    validate.text(content_id, "content_id", max_chars=MAX_EXTERNAL_ID_CHARS)
    validate.text(interaction.client_key, "client_key", min_chars=0, max_chars=MAX_EXTERNAL_ID_CHARS)
    if interaction.client_key.startswith(IMPORTED):
        raise InvalidInput(f"must not begin with {IMPORTED}", field="client_key")
    if kind == "rate":
        validate.between(interaction.rating, "rating", 1, 5)
    if kind == "comment":
        validate.text(interaction.comment, "comment", max_chars=MAX_COMMENT_CHARS)
        if not interaction.comment.strip():
            raise InvalidInput("must not be blank", field="comment")
    if kind == "share":
        validate.line(interaction.channel, "channel", max_chars=MAX_CHANNEL_CHARS)
    return Act(
        member_id=member_id,
        content_id=content_id,
        kind=kind,
        act_id=str(uuid.uuid4()),
        rating=interaction.rating,
        text=interaction.comment,
        channel=interaction.channel,
        watched_ms=validate.between(interaction.watched_ms, "watched_ms", 0, 10**10),
        client_key=interaction.client_key,
    )


def imported_act(dataset: str, item: pb.ImportInteraction, call: Call) -> Act:
    """A row of an import; its id is also its key, so that it counts once for ever."""
    external_id = validate.text(item.external_id, "external_id", max_chars=MAX_EXTERNAL_ID_CHARS)
    member = validate.text(item.member_external_id, "member_external_id", max_chars=MAX_EXTERNAL_ID_CHARS)
    content = validate.text(item.content_external_id, "content_external_id", max_chars=MAX_EXTERNAL_ID_CHARS)
    plain = act(item.interaction, imported_id("member", dataset, member), imported_id("content", dataset, content))
    act_id = imported_id("interaction", dataset, external_id)
    at = validate.past_time(item.occurred_at, "occurred_at", call.now)
    return Act(
        member_id=plain.member_id,
        content_id=plain.content_id,
        kind=plain.kind,
        act_id=act_id,
        rating=plain.rating,
        text=plain.text,
        channel=plain.channel,
        watched_ms=plain.watched_ms,
        client_key=f"{IMPORTED}{act_id}",
        occurred_at=at,
    )

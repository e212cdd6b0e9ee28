"""From requests to checked commands; every refusal names its field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventfold.errors import InvalidInput
from lyceum.reco.v1 import reco_pb2 as pb
from reco.preference.domain import (
    ChooseInterests,
    Exclude,
    Hide,
    Include,
    MarkCommand,
    SwitchPersonalisation,
    TasteCommand,
    Unhide,
)
from servicekit import validate

MAX_ID_CHARS = 200
MAX_INTERESTS = 50
MAX_TAG_CHARS = 50

KINDS: Final[dict[str, MarkCommand]] = {
    "hide": Hide("hide"),
    "not_interested": Hide("not_interested"),
    "unhide": Unhide(),
    "exclude": Exclude(),
    "include": Include(),
}


def feedback(request: pb.GiveFeedbackRequest) -> tuple[str, MarkCommand]:
    """The content that the feedback is about, and the command."""
    content_id = validate.text(request.content_id, "content_id", max_chars=MAX_ID_CHARS)
    return content_id, KINDS[validate.one_of(request.kind, "kind", KINDS)]


def preferences(request: pb.SetPreferencesRequest) -> Sequence[TasteCommand]:
    """A command for each choice that the request makes. Raises `InvalidInput` if it makes none."""
    made: list[TasteCommand] = []
    if request.HasField("personalised"):
        made.append(SwitchPersonalisation(request.personalised))
    if request.HasField("interests"):
        made.append(ChooseInterests(_tags(request.interests.tags)))
    if not made:
        raise InvalidInput("set personalised, interests or both", field="personalised")
    return made


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    if len(tags) > MAX_INTERESTS:
        raise InvalidInput(f"must be at most {MAX_INTERESTS}", field="interests.tags")
    return tuple(sorted({validate.line(tag, "interests.tags", max_chars=MAX_TAG_CHARS) for tag in tags}))

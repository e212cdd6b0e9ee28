"""Public events of reco. Generated from schemas/avro by `make generate`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

from eventfold import PublicType


class ShownItem(TypedDict):
    """ShownItem, as its schema says."""

    content_id: str
    source: str
    """The part of the model to which it owes its place."""
    score: float
    """Comparable within one answer only."""
    propensity: float
    """The probability, above 0 and at most 1, with which the policy that answered puts this content at this place."""


class ImpressionShown(TypedDict):
    """A member was shown recommendations: one event for each answer. At most once: an answer may leave no event."""

    member_id: str
    answer_id: str
    slot: str
    """Where on the page, as the client calls it."""
    method: str
    model_version: str
    experiment: str | None
    arm: str | None
    personalised: bool
    items: list[ShownItem]
    """Best first."""
    occurred_at: datetime


class PreferenceContentExcluded(TypedDict):
    """A member's signals about this content drive their recommendations no more."""

    member_id: str
    content_id: str
    occurred_at: datetime


class PreferenceContentHidden(TypedDict):
    """A member wants to see this content no more."""

    member_id: str
    content_id: str
    reason: str
    """hide or not_interested."""
    occurred_at: datetime


class PreferenceContentIncluded(TypedDict):
    """A member's signals about this content drive their recommendations again."""

    member_id: str
    content_id: str
    occurred_at: datetime


class PreferenceContentUnhidden(TypedDict):
    """A member took it back that content is hidden."""

    member_id: str
    content_id: str
    occurred_at: datetime


class PreferenceInterestsChosen(TypedDict):
    """A member said which tags they care about; replaces what they said before."""

    member_id: str
    tags: list[str]
    occurred_at: datetime


class PreferencePersonalisationSwitched(TypedDict):
    """A member switched personal recommendations on or off."""

    member_id: str
    on: bool
    occurred_at: datetime


IMPRESSION_SHOWN: Final = PublicType("lyceum.reco.impression.shown.v1", ImpressionShown)
PREFERENCE_CONTENT_EXCLUDED: Final = PublicType("lyceum.reco.preference.content_excluded.v1", PreferenceContentExcluded)
PREFERENCE_CONTENT_HIDDEN: Final = PublicType("lyceum.reco.preference.content_hidden.v1", PreferenceContentHidden)
PREFERENCE_CONTENT_INCLUDED: Final = PublicType("lyceum.reco.preference.content_included.v1", PreferenceContentIncluded)
PREFERENCE_CONTENT_UNHIDDEN: Final = PublicType("lyceum.reco.preference.content_unhidden.v1", PreferenceContentUnhidden)
PREFERENCE_INTERESTS_CHOSEN: Final = PublicType("lyceum.reco.preference.interests_chosen.v1", PreferenceInterestsChosen)
PREFERENCE_PERSONALISATION_SWITCHED: Final = PublicType(
    "lyceum.reco.preference.personalisation_switched.v1", PreferencePersonalisationSwitched
)

TOPICS: Final = (
    "lyceum.reco.impression",
    "lyceum.reco.preference",
)
"""What reco emits on, without prefix."""

"""From private events about preferences to public ones."""

from __future__ import annotations

from contracts.events import reco as public
from eventfold import PublicEvent, Recorded
from reco.preference.domain import (
    MARK,
    ContentExcluded,
    ContentHidden,
    ContentIncluded,
    ContentUnhidden,
    InterestsChosen,
    PersonalisationSwitched,
    content_of,
)

_MARKS = MARK.stream("")


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event of this slice."""
    if recorded.stream.startswith(_MARKS):
        return _mark(recorded)
    member_id, at = recorded.partition_key, recorded.occurred_at
    match recorded.event:
        case PersonalisationSwitched(on):
            return public.PREFERENCE_PERSONALISATION_SWITCHED({"member_id": member_id, "on": on, "occurred_at": at})
        case InterestsChosen(tags):
            return public.PREFERENCE_INTERESTS_CHOSEN({"member_id": member_id, "tags": [*tags], "occurred_at": at})
        case _:
            return None


def _mark(recorded: Recorded) -> PublicEvent | None:
    about: public.PreferenceContentUnhidden = {
        "member_id": recorded.partition_key,
        "content_id": content_of(recorded.stream.removeprefix(_MARKS)),
        "occurred_at": recorded.occurred_at,
    }
    match recorded.event:
        case ContentHidden(reason):
            return public.PREFERENCE_CONTENT_HIDDEN({**about, "reason": reason})
        case ContentUnhidden():
            return public.PREFERENCE_CONTENT_UNHIDDEN(about)
        case ContentExcluded():
            return public.PREFERENCE_CONTENT_EXCLUDED({**about})
        case ContentIncluded():
            return public.PREFERENCE_CONTENT_INCLUDED({**about})
        case _:
            return None

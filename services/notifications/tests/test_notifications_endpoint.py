"""What is decided of endpoints, what of it becomes public, and what is folded of that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.events import notifications as public
from eventfold import Recorded, Sealed
from eventfold.errors import NotFound
from eventfold.testing import Story, folded, record
from notifications.endpoint.domain import (
    ENDPOINT,
    OVERLAP,
    ChangeEndpoint,
    Command,
    DisableEndpoint,
    EnableEndpoint,
    EndpointChanged,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRegistered,
    EndpointRemoved,
    EndSecret,
    RegisterEndpoint,
    RemoveEndpoint,
    RotateSecret,
    SecretEnded,
    SecretRotated,
    SecretsOverlap,
)
from notifications.endpoint.projections import ENDPOINT_TABLE, INDEX, EndpointRow
from notifications.endpoint.publication import to_public

AT = datetime(2026, 3, 1, tzinfo=UTC)
URL, TEXT = Sealed("m1", "url", "u"), Sealed("m1", "description", "d")
OTHER = Sealed("m1", "url", "v")
TYPES = ("order.paid", "order.placed")
REGISTERED = EndpointRegistered("m1", "own", URL, TEXT, TYPES, "s1", AT)
ROTATED = SecretRotated("m1", "s2", AT + OVERLAP)
REMOVED = EndpointRemoved("m1")
REGISTER = RegisterEndpoint("m1", "own", URL, TEXT, TYPES, "s1", AT)
LATER = AT + OVERLAP
story = Story(ENDPOINT.decider)


def test_given_nothing_when_it_is_registered_then_it_is_there_once() -> None:
    story.when(REGISTER).then(REGISTERED)
    story.given(REGISTERED).when(REGISTER).then()


@pytest.mark.parametrize(
    "command",
    [
        ChangeEndpoint(OTHER, None, None),
        RotateSecret("s2", AT),
        EndSecret(AT),
        DisableEndpoint("asked"),
        EnableEndpoint(),
    ],
)
def test_what_is_not_there_or_no_longer_cannot_be_changed(command: Command) -> None:
    story.when(command).refused(NotFound)
    story.given(REGISTERED, REMOVED).when(command).refused(NotFound)


def test_a_change_records_all_that_may_change_and_nothing_if_all_is_so_already() -> None:
    changed = EndpointChanged("m1", OTHER, TEXT, ("order.paid",), TYPES)
    story.given(REGISTERED).when(ChangeEndpoint(OTHER, None, ("order.paid",))).then(changed)
    story.given(REGISTERED).when(ChangeEndpoint(None, None, TYPES)).then()


def test_a_new_secret_signs_beside_the_previous_one_for_a_day() -> None:
    story.given(REGISTERED).when(RotateSecret("s2", AT)).then(ROTATED)
    state = ENDPOINT.decider.fold([REGISTERED, ROTATED])
    assert state is not None and state.signing(LATER - timedelta(microseconds=1)) == ("s2", "s1")
    assert state.signing(LATER) == ("s2",)


def test_a_third_secret_waits_until_the_first_is_ended_or_its_day_is_over() -> None:
    story.given(REGISTERED, ROTATED).when(RotateSecret("s3", AT)).refused(SecretsOverlap)
    ended = SecretEnded("m1", "s1")
    story.given(REGISTERED, ROTATED).when(EndSecret(AT)).then(ended)
    story.given(REGISTERED, ROTATED, ended).when(EndSecret(AT)).then()
    story.given(REGISTERED, ROTATED, ended).when(RotateSecret("s3", AT)).then(SecretRotated("m1", "s3", LATER))
    story.given(REGISTERED, ROTATED).when(RotateSecret("s3", LATER)).then(SecretRotated("m1", "s3", LATER + OVERLAP))


def test_it_is_disabled_and_enabled_once() -> None:
    disabled, enabled = EndpointDisabled("m1", "gone"), EndpointEnabled("m1")
    story.given(REGISTERED).when(DisableEndpoint("gone")).then(disabled)
    story.given(REGISTERED, disabled).when(DisableEndpoint("asked")).then()
    story.given(REGISTERED, disabled).when(EnableEndpoint()).then(enabled)
    story.given(REGISTERED).when(EnableEndpoint()).then()


def test_it_is_removed_once() -> None:
    story.given(REGISTERED).when(RemoveEndpoint()).then(REMOVED)
    story.given(REGISTERED, REMOVED).when(RemoveEndpoint()).then()


def test_what_is_public_of_it_holds_neither_address_nor_secret() -> None:
    events = [
        REGISTERED,
        EndpointChanged("m1", OTHER, TEXT, ("order.paid",), TYPES),
        ROTATED,
        SecretEnded("m1", "s1"),
        EndpointDisabled("m1", "asked"),
        EndpointEnabled("m1"),
        REMOVED,
    ]
    told = [
        to_public(Recorded(ENDPOINT.stream("e1"), n, event, "", "e1", AT, AT, {}, n, n))
        for n, event in enumerate(events)
    ]
    assert [one.type.split(".")[-2] for one in told if one] == [
        "registered", "changed", "secret_rotated", "secret_ended", "disabled", "enabled", "removed",
    ]  # fmt: skip
    assert not any(hidden in str([one.data for one in told if one]) for hidden in ("'u'", "'v'", "s1", "s2", "Sealed"))


def test_the_index_follows_and_a_repetition_changes_nothing() -> None:
    registered: public.EndpointRegistered = {
        "endpoint_id": "e1",
        "member_id": "m1",
        "scope": "own",
        "types": ["order.paid"],
        "registered_at": AT,
    }
    gone: public.EndpointDisabled = {"endpoint_id": "e1", "member_id": "m1", "reason": "gone", "disabled_at": AT}
    first = record(public.ENDPOINT_REGISTERED, registered, 1)
    second = record(public.ENDPOINT_DISABLED, gone, 2)
    row = EndpointRow("e1", "m1", "own", ["order.paid"], "enabled", "", AT)
    assert folded(INDEX, [first]) == folded(INDEX, [first, first]) == {ENDPOINT_TABLE.name: {("e1",): row}}
    disabled = row._replace(state="disabled", reason="gone")
    assert folded(INDEX, [first, second]) == {ENDPOINT_TABLE.name: {("e1",): disabled}}

"""A service made of slices. Each slice has its own events, folds and RPCs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import grpc

from eventfold import EventCodec, FoldGroup, PublicEvent, Recorded, Stored, Upcaster
from eventfold.publish.publisher import ToPublic
from servicekit.background import Work
from servicekit.definition import RoleNameTaken, ServiceDefinition, Wiring, Works
from servicekit.policy import Policies, guarded
from servicekit.rotation import KeyKind
from servicekit.server import read_gate


@dataclass(frozen=True)
class Slice:
    """A feature of a service.

    `events` are its private events with their stored names. `to_public` returns their public form; None if an event has
    none, or if another slice has it. `groups` are its folds; groups with the same name in several slices are one group.
    `rpcs` makes the servicer of the RPCs for which it has `policies`. `background`, `further` and `key_kinds` are as in
    `ServiceDefinition`.
    """

    events: Stored = field(default_factory=dict)
    upcasters: Mapping[tuple[str, int], Upcaster] = field(default_factory=dict)
    to_public: ToPublic = field(default=lambda _: None)
    groups: tuple[FoldGroup, ...] = ()
    policies: Policies = field(default_factory=dict)
    rpcs: Callable[[Wiring], object] = field(default=lambda _: None)
    background: Works = field(default=lambda _: {})
    further: Mapping[str, Works] = field(default_factory=dict)
    key_kinds: Callable[[Any], Sequence[KeyKind]] = field(default=lambda _: ())


def codec_of(slices: Sequence[Slice]) -> EventCodec:
    """The codec for all private events of the slices. Raises ValueError for a name that two events have."""
    events: dict[type[Any], tuple[str, int]] = {}
    upcasters: dict[tuple[str, int], Upcaster] = {}
    for one in slices:
        events |= one.events
        upcasters |= one.upcasters
    return EventCodec(events, upcasters)


def to_public_of(slices: Sequence[Slice]) -> ToPublic:
    """The public form of an event, from the slice that has the event among its own."""
    by_event = {event: one.to_public for one in slices for event in one.events}

    def to_public(recorded: Recorded) -> PublicEvent | None:
        return by_event[type(recorded.event)](recorded)

    return to_public


def groups_of(slices: Sequence[Slice]) -> tuple[FoldGroup, ...]:
    """The groups of folds of the slices; those that halt the worker come first. Raises ValueError if one of two groups
    with the same name parks and the other halts."""
    found: dict[str, FoldGroup] = {}
    for group in (group for one in slices for group in one.groups):
        known = found.setdefault(group.name, replace(group, projections=(), processes=()))
        if known.parks != group.parks:
            raise ValueError(f"group {group.name} halts in one slice and parks in another")
        found[group.name] = replace(
            known, projections=(*known.projections, *group.projections), processes=(*known.processes, *group.processes)
        )
    return tuple(sorted(found.values(), key=lambda group: group.parks))


def servicer_of(slices: Sequence[Slice], grpc_service: str, wiring: Wiring) -> Any:
    """The servicer of all slices together, behind their policies. Raises `NoPolicy`."""
    servicers = [(one.rpcs(wiring), one.policies) for one in slices if one.policies]
    return guarded(grpc_service, servicers, read_gate(wiring))


def background_of(slices: Sequence[Slice], wiring: Wiring) -> Mapping[str, Work]:
    """The background tasks of all slices. Raises ValueError for a name that two tasks have."""
    works = [(name, work) for one in slices for name, work in one.background(wiring).items()]
    if len(dict(works)) < len(works):
        raise ValueError(f"two slices run work of one name: {sorted(name for name, _ in works)}")
    return dict(works)


def further_of(slices: Sequence[Slice]) -> Mapping[str, Works]:
    """The further roles of all slices. Raises `RoleNameTaken` for a name that two of them have."""
    named = Counter(name for one in slices for name in one.further)
    if taken := [name for name, times in named.items() if times > 1]:
        raise RoleNameTaken(taken)
    return {name: works for one in slices for name, works in one.further.items()}


AddServicer = Callable[[Any, grpc.aio.Server], None]


def made_of(slices: Sequence[Slice], *, grpc_service: str, add_servicer: AddServicer, **more: Any) -> ServiceDefinition:
    """The service made of these slices, which serves `grpc_service`. `more` are the other parts of its definition.

    Raises ValueError for what two slices call by one name; `RoleNameTaken` is one.
    """
    policies = {name: policy for one in slices for name, policy in one.policies.items()}

    async def register(wiring: Wiring, server: grpc.aio.Server) -> Sequence[str]:
        add_servicer(servicer_of(slices, grpc_service, wiring), server)
        return [grpc_service]

    return ServiceDefinition(
        codec=codec_of(slices),
        to_public=to_public_of(slices),
        groups=groups_of(slices),
        register=register,
        policies={grpc_service: policies},
        background=partial(background_of, slices),
        further=further_of(slices),
        key_kinds=lambda settings: [kind for one in slices for kind in one.key_kinds(settings)],
        **more,
    )

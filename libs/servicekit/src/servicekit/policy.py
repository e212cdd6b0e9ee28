"""Who may call each RPC, defined in one place. An RPC without a policy is never served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from google.protobuf import descriptor_pool

from eventfold.errors import EventfoldError
from servicekit.call import Call, current_call

Rate = Literal["query", "command", "credential", "import", "provider"]
"""The rate class of an RPC, for limits per client."""
ROLES = ("consumer", "creator", "importer", "auditor", "admin")
OPERATORS = ("importer", "auditor", "admin")
"""Roles that nobody can register with: operators give them."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The checks before an RPC begins.

    `roles` may call it. The default is all roles; with `anyone`, no token is needed. `own` is the request field that
    names a member: members may name themselves (or nobody), and `roles` may name anybody. If `own_form` is given, the
    field has to hold this text with the member's id in the place of `{}`, and to leave it empty means everybody's. A
    query `reads` these projections, and waits for the caller's tokens in them. `idempotent` RPCs take an idempotency
    key.
    """

    rate: Rate
    roles: tuple[str, ...] = ROLES
    anyone: bool = False
    own: str = ""
    own_form: str = ""
    reads: tuple[str, ...] = ()
    idempotent: bool = False

    def admit(self, call: Call, request: Any) -> None:
        """Raise `Unauthenticated` or `NotPermitted` if the call may not be served."""
        if self.anyone:
            return
        caller = call.require_caller()
        if not (self.own and self._names_own(getattr(request, self.own), caller.member_id)):
            caller.require(*self.roles)

    def _names_own(self, named: str, member_id: str) -> bool:
        return named == self.own_form.format(member_id) if self.own_form else named in ("", member_id)


Policies = Mapping[str, Policy]
"""Policies by the name of the RPC."""


class NoPolicy(Exception):
    """An RPC has no policy, or a policy has no RPC."""

    def __init__(self, service: str, names: Sequence[str]) -> None:
        super().__init__(f"{service}: policies and RPCs do not match: {', '.join(names)}")
        self.service = service


class NotYetApplied(EventfoldError):
    """What the rows of an import name may exist and is not known here yet. Nothing was recorded: send them again."""

    def __init__(self) -> None:
        super().__init__("what these rows name has not been applied here yet; send them again")


class Gate(Protocol):
    """Delays a query until the events that its caller has seen are applied; see `servicekit.reading.ReadGate`."""

    async def wait(self, call: Call, reads: Sequence[str]) -> bool:
        """Wait for the call's tokens in these projections."""


class _Guarded:
    """The RPCs of a service. Each call is first admitted by the RPC's policy."""


def guarded(service: str, servicers: Sequence[tuple[object, Policies]], gate: Gate) -> Any:
    """A servicer of `service` made of these servicers. Each call is first admitted by the RPC's policy. Raises
    `NoPolicy` unless each RPC has exactly one policy, in one of them."""
    served = [(name, policy, one) for one, policies in servicers for name, policy in policies.items()]
    names = [name for name, _, _ in served]
    if odd := {*rpcs_of(service) ^ set(names), *(name for name in names if names.count(name) > 1)}:
        raise NoPolicy(service, sorted(odd))
    made = _Guarded()
    for name, policy, one in served:
        setattr(made, name, _admitted(getattr(one, name), policy, gate))
    return made


def rpcs_of(service: str) -> set[str]:
    """The names of a service's RPCs. Raises KeyError for a service that no imported module describes."""
    return {method.name for method in descriptor_pool.Default().FindServiceByName(service).methods}


def _admitted(behave: Callable[..., Awaitable[Any]], policy: Policy, gate: Gate) -> Callable[..., Awaitable[Any]]:
    async def admitted(request: Any, context: Any) -> Any:
        call = current_call()
        policy.admit(call, request)
        if policy.reads:
            fresh = await gate.wait(call, policy.reads)
            if not fresh and policy.rate == "import":
                raise NotYetApplied
        return await behave(request, context)

    return admitted

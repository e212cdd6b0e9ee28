"""From requests to checked wishes; every refusal names its field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventfold.errors import InvalidInput, NotPermitted
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications import addresses
from notifications.endpoint.application import NewEndpoint, Wishes
from notifications.endpoint.domain import Scope
from notifications.event_types import TOLD
from servicekit import validate
from servicekit.caller import Caller

MAX_DESCRIPTION_CHARS: Final = 200
_SCOPES: Final[dict[str, Scope]] = {"own": "own", "all": "all"}


def new_endpoint(request: pb.RegisterEndpointRequest, caller: Caller, *, allow_local: bool) -> NewEndpoint:
    """What is to be registered. Raises `InvalidInput`, and `NotPermitted` for everybody's events but to admins."""
    scope = _SCOPES[validate.one_of(request.scope, "scope", _SCOPES)]
    if scope == "all" and caller.role != "admin":
        raise NotPermitted("everybody's events are for admins", field="scope")
    return NewEndpoint(
        scope=scope,
        url=addresses.checked(request.url, allow_local=allow_local).url,
        description=_description(request.description),
        types=types(request.types, "types", scope),
    )


def wishes(request: pb.ChangeEndpointRequest, scope: Scope, *, allow_local: bool) -> Wishes:
    """What is to be changed. Raises `InvalidInput`, also where nothing is."""
    if not any(request.HasField(name) for name in ("url", "types", "description")):
        raise InvalidInput("set url, types or description", field="url")
    return Wishes(
        url=addresses.checked(request.url, allow_local=allow_local).url if request.HasField("url") else None,
        description=_description(request.description) if request.HasField("description") else None,
        types=types(request.types.names, "types.names", scope) if request.HasField("types") else None,
    )


def types(names: Sequence[str], field: str, scope: Scope) -> tuple[str, ...]:
    """Types that endpoints of this scope may be told of: sorted, each once, at least one."""
    if not names:
        raise InvalidInput("name at least one type", field=field)
    allowed = {one.name for one in TOLD.values() if scope in one.scopes}
    return tuple(sorted({validate.one_of(name, field, allowed) for name in names}))


def _description(text: str) -> str:
    return validate.line(text, "description", max_chars=MAX_DESCRIPTION_CHARS) if text else ""

"""What a call can raise: everything is a `LyceumError`.

A refusal of the platform is the class of its code, with `reason` (a word for programs, as `ALREADY_BOUGHT`), `field`
(what it is about, if it is about one), and `request_id` (what to quote when asking about it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


class LyceumError(Exception):
    """Anything that this package raises."""


class BadRequest(LyceumError):
    """A request cannot be sent as it is: `field` is missing or of no use. Nothing was sent."""

    def __init__(self, field: str, said: str) -> None:
        super().__init__(f"{field} {said}")
        self.field = field


class BadAddress(LyceumError):
    """The gateway's address does not begin with http:// or https://."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} does not begin with http:// or https://")
        self.url = url


class BadAnswer(LyceumError):
    """What answered does not speak as the contracts say: something else, or a later major version."""

    def __init__(self, at: str, said: str) -> None:
        super().__init__(f"{at}: {said}")
        self.at = at


class NotLoggedIn(LyceumError):
    """The call needs a session: `log_in` first."""

    def __init__(self, call: str) -> None:
        super().__init__(f"{call} needs a session; log in first")
        self.call = call


class NoAnswer(LyceumError):
    """No answer came in the time or the attempts that the call had: a command may have been done or not. Sent again
    under the same `idempotency_key`, it is done once; the key is empty where the call takes none."""

    def __init__(self, call: str, attempts: int, last: str, idempotency_key: str, request_id: str) -> None:
        super().__init__(f"{call}: no answer after {attempts} attempts; last: {last}")
        self.call = call
        self.attempts = attempts
        self.idempotency_key = idempotency_key
        self.request_id = request_id


class Refused(LyceumError):
    """The platform answered, and refused. `code` is gRPC's. `retry_after_s` is when it wants to be asked again, None
    where it did not say."""

    def __init__(
        self,
        call: str,
        *,
        code: int,
        message: str,
        reason: str = "",
        field: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        told = ", ".join(one for one in (reason, field) if one)
        super().__init__(f"{call}: {message}" + (f" ({told})" if told else ""))
        self.call, self.code, self.message = call, code, message
        self.reason, self.field = reason, field
        self.request_id, self.retry_after_s = request_id, retry_after_s


class InvalidArgument(Refused):
    """A field is missing or not allowed: `field` names it."""


class DeadlineExceeded(Refused):
    """The platform ran out of the time that the call had."""


class NotFound(Refused):
    """There is no such thing, or the caller may not know of it."""


class AlreadyExists(Refused):
    """It is there already."""


class PermissionDenied(Refused):
    """This caller may not do it."""


class ResourceExhausted(Refused):
    """A limit is reached: of requests (`retry_after_s` says when to ask again), or of what there is to have."""


class FailedPrecondition(Refused):
    """It cannot be done as things are: `reason` says why."""


class Aborted(Refused):
    """Others wrote at the same time."""


class Unimplemented(Refused):
    """The platform does not serve this call."""


class Internal(Refused):
    """The platform failed."""


class Unavailable(Refused):
    """The platform cannot answer at the moment."""


class Unauthenticated(Refused):
    """The access token, or the credentials, do not count."""


CLASSES: Final[Mapping[int, type[Refused]]] = {
    3: InvalidArgument,
    4: DeadlineExceeded,
    5: NotFound,
    6: AlreadyExists,
    7: PermissionDenied,
    8: ResourceExhausted,
    9: FailedPrecondition,
    10: Aborted,
    12: Unimplemented,
    13: Internal,
    14: Unavailable,
    16: Unauthenticated,
}
"""The class of each code of gRPC; `Refused` itself for the others."""


class NotYet(LyceumError):
    """What was waited for did not come in time."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(f"not within {deadline_s} s")
        self.deadline_s = deadline_s

"""What can go wrong, each with what its page needs. None repeats a password, token or personal value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Trouble(StrEnum):
    """Why a call to the gateway did not give what it should. Each has a sentence in the catalogue of texts."""

    UNREACHABLE = "unreachable"
    LATE = "late"
    LIMITED = "limited"
    FORBIDDEN = "forbidden"
    NOT_SERVED = "not_served"
    REFUSED = "refused"
    FAILED = "failed"
    UNEXPECTED = "unexpected"


class WebError(Exception):
    """Base of all errors of the web client."""


class GatewayTrouble(WebError):
    """A call to the gateway failed. `field` names the offending input where the gateway told; `retry_after_s` is set
    for LIMITED."""

    def __init__(self, path: str, trouble: Trouble, *, field: str = "", retry_after_s: int = 0) -> None:
        super().__init__(f"{path}: {trouble}" + (f" ({field})" if field else ""))
        self.path, self.trouble, self.field, self.retry_after_s = path, trouble, field, retry_after_s


class NotAdmitted(WebError):
    """The gateway does not accept the credentials or the token of a call."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: not admitted")
        self.path = path


class SessionOver(WebError):
    """The session has ended: log in again."""


class BadAnswer(GatewayTrouble):
    """An answer of the gateway that its interface does not allow."""

    def __init__(self, path: str, complaint: str) -> None:
        super().__init__(path, Trouble.UNEXPECTED)
        self.complaint = complaint


class PageRefused(WebError):
    """A request gets a page that says why it is refused: `status` of HTTP, and the key of the text.

    `fields` fill the gaps of the text and never come from outside.
    """

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None, **fields: str | int) -> None:
        super().__init__(f"{status} {text}")
        self.status, self.text, self.headers, self.fields = status, text, dict(headers or {}), fields


class KeyUnusable(WebError):
    """The key file of the cookies is damaged, or others may read it."""

    def __init__(self, file: str, complaint: str) -> None:
        super().__init__(f"{file} {complaint}")
        self.file = file

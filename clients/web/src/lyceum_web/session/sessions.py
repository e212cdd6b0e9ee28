"""A session as its cookie carries it."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from lyceum_web.bounds import COOKIE_BYTES, SESSION_S
from lyceum_web.errors import BadAnswer
from lyceum_web.gateway.answers import Answer, object_of
from lyceum_web.session.sealing import Seals

_PURPOSE: Final = "session 1"
LOG_IN: Final = "/v1/sessions"


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in. Times are seconds since 1970: the access token ends at `access_until`, the session at `until`."""

    session_id: str
    member_id: str
    role: str
    access: str
    refresh: str
    access_until: float
    until: float


def begun(answer: Answer, now: float) -> Session:
    """The session that an answer to a log-in begins. Raises `BadAnswer`."""
    access = answer.text("access_token")
    return Session(
        session_id=_claim(answer.path, access, "sid"),
        member_id=answer.text("member_id"),
        role=answer.text("role"),
        access=access,
        refresh=answer.text("refresh_token"),
        access_until=now + answer.whole("expires_in_s"),
        until=now + SESSION_S,
    )


def renewed(session: Session, answer: Answer, now: float) -> Session:
    """The same session with new tokens, under the role that the new token has. Raises `BadAnswer`."""
    access = answer.text("access_token")
    return Session(
        session_id=session.session_id,
        member_id=session.member_id,
        role=_claim(answer.path, access, "role"),
        access=access,
        refresh=answer.text("refresh_token"),
        access_until=now + answer.whole("expires_in_s"),
        until=session.until,
    )


def sealed(session: Session, seals: Seals) -> str:
    """The value of the cookie. Raises `BadAnswer` where tokens are too long for one."""
    value = seals.sealed(json.dumps(asdict(session)).encode(), _PURPOSE)
    if len(value) > COOKIE_BYTES:
        raise BadAnswer(LOG_IN, f"tokens need more than {COOKIE_BYTES} bytes")
    return value


def opened(value: str, seals: Seals, now: float) -> Session | None:
    """The session of a cookie; None for what is none of ours, and for one that is over."""
    text = seals.opened(value, _PURPOSE) if len(value) <= COOKIE_BYTES else None
    if text is None:
        return None
    session = Session(**json.loads(text))
    return session if now < session.until else None


def _claim(path: str, token: str, name: str) -> str:
    """What a token of the gateway's says. It is not verified here: it came from the gateway, which verifies it at each
    call, and what is read only chooses what a page offers."""
    found = _claims(path, token).get(name)
    if not isinstance(found, str):
        raise BadAnswer(path, f"the access token has no {name}")
    return found


def _claims(path: str, token: str) -> Any:
    payload = token.partition(".")[2].partition(".")[0]
    try:
        return object_of(path, base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError) as failure:
        raise BadAnswer(path, "the access token is none") from failure

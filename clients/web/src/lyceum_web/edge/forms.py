"""Forms: a bounded body, one charset, each field once, and a proof that the form came from one of our own pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from lyceum_web.bounds import FORM_BYTES, FORM_FIELDS
from lyceum_web.errors import PageRefused
from lyceum_web.session.sealing import Seals

CSRF_FIELD: Final = "csrf"
_PURPOSE: Final = "form 1"
_KIND: Final = "application/x-www-form-urlencoded"
_OWN_SITES: Final = ("same-origin", "none")


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form. Raises `PageRefused`."""
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != _KIND or parameters.strip() not in ("", "charset=utf-8"):
        raise PageRefused(415, "refused.bad_form")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise PageRefused(413, "refused.too_large")
    return _fields(bytes(body))


def _fields(body: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=FORM_FIELDS,
        )
    except ValueError as failure:
        raise PageRefused(400, "refused.bad_form") from failure
    if len(dict(pairs)) != len(pairs):
        raise PageRefused(400, "refused.bad_form")
    return dict(pairs)


def csrf_token(seals: Seals, bound_to: str) -> str:
    """The proof for the forms of one session, or of one visitor who has none yet."""
    return seals.mark(bound_to, _PURPOSE)


def require_own(request: Request, form: Mapping[str, str], seals: Seals, bound_to: str, public_url: str) -> None:
    """Raises `PageRefused` for a form that another site may have sent. The proof is asked for in any case."""
    has_proof = bool(bound_to) and seals.is_marked(bound_to, form.get(CSRF_FIELD, ""), _PURPOSE)
    if not has_proof or not _is_own(request, public_url):
        raise PageRefused(403, "refused.stale_form")


def _is_own(request: Request, public_url: str) -> bool:
    """What the browser says of where the form was. `Sec-Fetch-Site` has the first word. An origin of `null` says
    nothing: a proxy that adds `Referrer-Policy: no-referrer` makes browsers send it with our own forms."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN_SITES
    origin = request.headers.get("origin", "null")
    return origin in ("null", public_url) or urlsplit(origin).netloc == request.headers.get("host", "")

"""One address: which methods it takes, and what a failure looks like as a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lyceum_web.bounds import RETRY_AFTER_S
from lyceum_web.errors import GatewayTrouble, NotAdmitted, PageRefused, SessionOver, Trouble
from lyceum_web.site import Site
from lyceum_web.visit import Visit

Handler = Callable[[Visit], Awaitable[Response]]
TROUBLES: Final[Mapping[Trouble, tuple[int, str]]] = {
    Trouble.UNREACHABLE: (503, "refused.unreachable"),
    Trouble.LATE: (504, "refused.late"),
    Trouble.LIMITED: (429, "refused.limited"),
    Trouble.FORBIDDEN: (403, "refused.forbidden"),
    Trouble.NOT_SERVED: (404, "refused.not_found"),
    Trouble.REFUSED: (400, "refused.bad_choice"),
    Trouble.FAILED: (502, "refused.failed"),
    Trouble.UNEXPECTED: (502, "refused.failed"),
}


class Resource:
    """An address of the site, for the router. `route` is what the log calls it."""

    def __init__(self, site: Site, route: str, handlers: Mapping[str, Handler]) -> None:
        self._site, self._route, self._handlers = site, route, handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["state"]["route"] = self._route
        visit = Visit(Request(scope, receive), self._site)
        response = await self._answer(visit, "GET" if scope["method"] == "HEAD" else scope["method"])
        await visit.finished(response)(scope, receive, send)

    async def _answer(self, visit: Visit, method: str) -> Response:
        try:
            if method not in self._handlers:
                raise PageRefused(405, "refused.method", {"allow": _allowed(self._handlers)})
            return await self._handlers[method](visit)
        except PageRefused as refused:
            return refused_page(visit, refused)
        except (SessionOver, NotAdmitted):
            return refused_page(visit, PageRefused(401, "refused.session_over"))
        except GatewayTrouble as trouble:
            return refused_page(visit, as_refusal(trouble))


def as_refusal(trouble: GatewayTrouble) -> PageRefused:
    """What a failed call means for a whole page."""
    status, text = TROUBLES[trouble.trouble]
    if trouble.trouble is Trouble.LIMITED:
        return PageRefused(status, text, {"retry-after": str(trouble.retry_after_s)}, seconds=trouble.retry_after_s)
    if trouble.trouble is Trouble.REFUSED:
        return PageRefused(status, text, field=trouble.field or "?")
    return PageRefused(status, text)


def refused_page(visit: Visit, refused: PageRefused) -> Response:
    """The page of a refusal. The cookie stays as it is: another tab may just have got a newer one."""
    fields = {"seconds": RETRY_AFTER_S, **refused.fields} if refused.text == "refused.busy" else refused.fields
    response = visit.page(
        "refused.html",
        refused.status,
        sentence=visit.tongue.text(refused.text, **fields),
        is_over=refused.status == 401,
        reference=visit.request.scope["state"]["reference"],
    )
    response.headers.update(refused.headers)
    return response


def _allowed(handlers: Mapping[str, Handler]) -> str:
    return ", ".join(sorted({*handlers, *(["HEAD"] if "GET" in handlers else [])}))

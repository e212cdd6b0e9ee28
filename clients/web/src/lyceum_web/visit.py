"""One request of a browser: its language, its session, and the page that it gets."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lyceum_web.bounds import PAGE_MARGIN_S
from lyceum_web.edge.cookies import BASE
from lyceum_web.edge.forms import csrf_token, form_of, require_own
from lyceum_web.errors import NotAdmitted, SessionOver
from lyceum_web.gateway.answers import Answer
from lyceum_web.gateway.client import Gateway, Parameters
from lyceum_web.panels.fetching import Ask
from lyceum_web.panels.look import Look
from lyceum_web.session.sessions import Session, opened, sealed
from lyceum_web.site import Site
from lyceum_web.words.choosing import tongue_for
from lyceum_web.words.tongue import LANGUAGES

VISIT_BYTES: Final = 16
Given = TypeVar("Given")


class Visit:
    """A request with what the site knows of its sender."""

    def __init__(self, request: Request, site: Site) -> None:
        self.request = request
        self.site = site
        cookies = request.cookies
        self.tongue = tongue_for(cookies.get(site.cookies.language, ""), request.headers.get("accept-language", ""))
        self._visit_id = cookies.get(site.cookies.visit, "")
        self._is_new_visit = False
        found = opened(cookies.get(site.cookies.session, ""), site.seals, site.clock())
        self.session = None if found is None or site.renewing.is_ended(found) else found
        self._kept: Session | None = None

    # -- the session -----------------------------------------------------------------------------

    def keep(self, session: Session) -> None:
        """Have the browser keep this session."""
        self._kept = self.session = session

    def begin(self, session: Session) -> None:
        """A log-in: what the browser held before counts no more, for somebody else may have put it there."""
        self.keep(session)
        self._new_visit()

    async def in_session(self, work: Callable[[Ask], Awaitable[Given]]) -> Given:
        """Do what asks the gateway in the name of who is logged in, with a token that lasts; once more with a new one
        where it does not count. Raises `SessionOver` and `GatewayTrouble`."""
        if self.session is None:
            raise SessionOver
        self._renewed(await self.site.renewing.fresh(self.session, self.gateway))
        try:
            return await work(self._ask(self.session))
        except NotAdmitted:
            self._renewed(await self.site.renewing.renew(self.session, self.gateway))
        try:
            return await work(self._ask(self.session))
        except NotAdmitted as over:
            raise SessionOver from over

    def _renewed(self, session: Session) -> None:
        if session != self.session:
            self.keep(session)

    def _ask(self, session: Session) -> Ask:
        async def ask(path: str, parameters: Parameters) -> Answer:
            return await self.gateway.get(path, parameters, session.access)

        return ask

    @cached_property
    def gateway(self) -> Gateway:
        """The gateway, for the rest of this request's time but for what making the page takes."""
        deadline_at = self.request.scope["state"]["deadline_at"] - PAGE_MARGIN_S
        return Gateway(self.site.http, deadline_at, self.request.headers.get("x-lyceum-client", ""))

    # -- forms -----------------------------------------------------------------------------------

    @property
    def csrf(self) -> str:
        """The proof for the forms of this page."""
        return csrf_token(self.site.seals, self._bound_to())

    @property
    def log_in_csrf(self) -> str:
        """The proof for the log-in form, which no session has a part in."""
        return csrf_token(self.site.seals, self._visit())

    async def form(self, *, is_log_in: bool = False) -> Mapping[str, str]:
        """The fields of the form that was sent, which came from one of our pages. Raises `PageRefused`."""
        found = await form_of(self.request)
        bound_to = self._visit_id if is_log_in or self.session is None else self.session.session_id
        require_own(self.request, found, self.site.seals, bound_to, self.site.settings.public_url)
        return found

    def _bound_to(self) -> str:
        return self.session.session_id if self.session else self._visit()

    def _visit(self) -> str:
        return self._visit_id or self._new_visit()

    def _new_visit(self) -> str:
        self._visit_id, self._is_new_visit = secrets.token_urlsafe(VISIT_BYTES), True
        return self._visit_id

    # -- answers ---------------------------------------------------------------------------------

    def page(self, template: str, status: int = 200, look: Look | None = None, **context: Any) -> Response:
        """A page. `look` goes with the language form, so that a change of language changes nothing else."""
        text = self.site.pages.get_template(template).render(
            visit=self,
            tongue=self.tongue,
            t=self.tongue.text,
            assets=self.site.assets,
            base=BASE,
            languages=LANGUAGES,
            look=look or Look(),
            **context,
        )
        return HTMLResponse(text, status, {"content-language": self.tongue.tag, "vary": "Cookie, Accept-Language"})

    def redirect(self, path: str) -> Response:
        """To a page of ours. The path begins with `/web/`: no host, which a proxy before us may call otherwise."""
        return RedirectResponse(BASE + path, 303)

    def finished(self, response: Response) -> Response:
        """The answer with the cookies that changed."""
        if self._kept is not None:
            left_s = self._kept.until - self.site.clock()
            self.site.cookies.keep_session(response, sealed(self._kept, self.site.seals), left_s)
        if self._is_new_visit:
            self.site.cookies.keep_visit(response, self._visit_id)
        return response

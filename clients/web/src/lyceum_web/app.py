"""The addresses of the site."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Scope

from lyceum_web.edge.guard import Guard
from lyceum_web.errors import PageRefused
from lyceum_web.pages.dashboard import dashboard, table_file
from lyceum_web.pages.language import choose
from lyceum_web.pages.logging_in import log_in, log_in_form, log_out
from lyceum_web.pages.resource import Handler, Resource, refused_page
from lyceum_web.pages.serving import health, static_file
from lyceum_web.site import Site
from lyceum_web.visit import Visit

PAGES: Mapping[str, Mapping[str, Handler]] = {
    "/web/": {"GET": dashboard},
    "/web/login": {"GET": log_in_form, "POST": log_in},
    "/web/logout": {"POST": log_out},
    "/web/language": {"POST": choose},
    "/web/panels/{name}.csv": {"GET": table_file},
    "/web/static/{digest}/{name}": {"GET": static_file},
    "/web/healthz": {"GET": health},
}


def app_of(site: Site) -> ASGIApp:
    """The application behind its guard."""

    async def not_found(visit: Visit) -> Response:
        raise PageRefused(404, "refused.not_found")

    async def to_dashboard(visit: Visit) -> Response:
        return visit.redirect("")

    def refusal(scope: Scope, status: int, text: str) -> ASGIApp:
        return refused_page(Visit(Request(scope), site), PageRefused(status, text))

    def resource(route: str, handlers: Mapping[str, Handler]) -> Resource:
        return Resource(site, route, handlers)

    routes = [Route(path, resource(path, handlers)) for path, handlers in PAGES.items()]
    routes.append(Route("/web", resource("/web", {"GET": to_dashboard})))
    router = Router(routes, redirect_slashes=False, default=resource("", {"GET": not_found, "POST": not_found}))
    return Guard(router, refusal, site.log, lambda: site.is_draining)

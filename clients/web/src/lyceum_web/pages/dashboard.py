"""The dashboard, and the table of each of its panels as a file."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from starlette.responses import Response

from lyceum_web.errors import PageRefused, SessionOver, Trouble
from lyceum_web.panels.exporting import as_csv, file_name
from lyceum_web.panels.fetching import Ask, Fetching, Shown, zone_of
from lyceum_web.panels.look import Look, look_of
from lyceum_web.panels.panel import Panel
from lyceum_web.panels.presenting import presented
from lyceum_web.panels.registry import panels_for
from lyceum_web.panels.roles import OPERATORS
from lyceum_web.session.sessions import Session
from lyceum_web.site import Site
from lyceum_web.visit import Visit


async def dashboard(visit: Visit) -> Response:
    """All panels of the reader's role. Whoever is not logged in is sent to the log-in with the choices of the page."""
    look = look_of(visit.request.query_params)
    if visit.session is None:
        return visit.redirect("login" + look.query)
    panels = panels_for(visit.session.role)
    if not panels:
        raise PageRefused(403, "refused.forbidden")
    shown = await _shown(visit, look, panels)
    if all(one.trouble and one.trouble.trouble is Trouble.UNREACHABLE for one in shown):
        raise PageRefused(503, "refused.unreachable")
    return visit.page(
        "dashboard.html",
        look=look,
        panels=[presented(one, look, visit.tongue) for one in shown],
        is_own=visit.session.role not in OPERATORS,
    )


async def table_file(visit: Visit) -> Response:
    """The table of one panel as CSV."""
    look = look_of(visit.request.query_params)
    if visit.session is None:
        raise SessionOver
    name = visit.request.path_params["name"]
    panels = [panel for panel in panels_for(visit.session.role) if panel.name == name]
    if not panels:
        raise PageRefused(404, "refused.not_found")
    [one] = await _shown(visit, look, panels)
    if one.view is None:
        raise one.trouble or PageRefused(502, "refused.failed")
    headers = {"content-disposition": f'attachment; filename="{file_name(name, one.view, look)}.csv"'}
    return Response(as_csv(one.view, visit.tongue), headers=headers, media_type="text/csv; charset=utf-8")


async def _shown(visit: Visit, look: Look, panels: Sequence[Panel]) -> list[Shown]:
    async def work(ask: Ask) -> list[Shown]:
        session = visit.session
        if session is None:
            raise SessionOver
        moment = look.moment(await _zone(visit.site, ask, session)) if look.as_of else ""
        return await Fetching(ask, look, session, moment).shown(panels)

    shown = await visit.in_session(work)
    for one in shown:
        if one.view and one.view.told.window:
            visit.site.believe(one.view.told.window.zone)
    return shown


async def _zone(site: Site, ask: Ask, session: Session) -> ZoneInfo:
    """The zone of the platform's days; asked for where no answer told it lately."""
    return site.zone or await zone_of(ask, session.role, session.member_id)

"""Log-in and log-out."""

from __future__ import annotations

from starlette.responses import Response

from lyceum_web.bounds import PASSWORD_CHARS, USERNAME_CHARS
from lyceum_web.errors import GatewayTrouble, NotAdmitted, Trouble
from lyceum_web.panels.look import Look, look_of
from lyceum_web.session.sessions import LOG_IN, begun
from lyceum_web.visit import Visit


async def log_in_form(visit: Visit) -> Response:
    """The form; also for who is logged in, since only a new log-in mends a session that has ended."""
    return _form(visit, look_of(visit.request.query_params))


async def log_in(visit: Visit) -> Response:
    """Exchange name and password for a session, then show the dashboard as it was asked for.

    Where to go next is never an address of the form's: only the choices of the dashboard are taken along.
    """
    form = await visit.form(is_log_in=True)
    look = look_of(form)
    username, password = form.get("username", "").strip(), form.get("password", "")
    if not username or not password:
        return _form(visit, look, 400, "log_in.incomplete")
    if len(username) > USERNAME_CHARS or len(password) > PASSWORD_CHARS:
        return _form(visit, look, 401, "log_in.wrong")
    try:
        answer = await visit.gateway.post(LOG_IN, {"username": username, "password": password})
    except NotAdmitted:
        return _form(visit, look, 401, "log_in.wrong")
    except GatewayTrouble as trouble:
        return _refused(visit, look, trouble)
    visit.begin(begun(answer, visit.site.clock()))
    return visit.redirect(look.query)


async def log_out(visit: Visit) -> Response:
    """End the session, here and at identity. The browser forgets it, whatever identity says."""
    await visit.form()
    text = "logged_out.done"
    if visit.session is not None:
        try:
            await visit.site.renewing.end(visit.session, visit.gateway)
        except GatewayTrouble:
            text = "logged_out.half"
        visit.session = None
    response = visit.page("logged_out.html", text=text)
    visit.site.cookies.drop_session(response)
    return response


def _refused(visit: Visit, look: Look, trouble: GatewayTrouble) -> Response:
    """Whoever is limited keeps the form. A name or password that identity calls impossible is a wrong one."""
    if trouble.trouble is Trouble.REFUSED:
        return _form(visit, look, 401, "log_in.wrong")
    if trouble.trouble is not Trouble.LIMITED:
        raise trouble
    response = _form(visit, look, 429, "refused.limited", seconds=trouble.retry_after_s)
    response.headers["retry-after"] = str(trouble.retry_after_s)
    return response


def _form(visit: Visit, look: Look, status: int = 200, complaint: str = "", **fields: int) -> Response:
    sentence = visit.tongue.text(complaint, **fields) if complaint else ""
    return visit.page("log_in.html", status, look, complaint=sentence)

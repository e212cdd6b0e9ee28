"""Choosing the language."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from lyceum_web.errors import PageRefused
from lyceum_web.panels.look import look_of
from lyceum_web.visit import Visit
from lyceum_web.words.tongue import LANGUAGES

PAGES: Final = {"dashboard": "", "log_in": "login"}
"""The pages that one can come back to, by their names in the form."""


async def choose(visit: Visit) -> Response:
    """Keep the language in a cookie, and go back to the page with its choices."""
    form = await visit.form()
    language, page = form.get("language", ""), form.get("page", "")
    if language not in LANGUAGES or page not in PAGES:
        raise PageRefused(400, "refused.bad_choice", field="language" if page in PAGES else "page")
    response = visit.redirect(PAGES[page] + look_of(form).query)
    visit.site.cookies.keep_language(response, language)
    return response

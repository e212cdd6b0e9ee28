"""The cookies of the web client, and how they are set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from lyceum_web.bounds import LANGUAGE_S, SESSION_S

BASE: Final = "/web/"


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names and attributes. Over https the names begin with `__Host-`: nobody but this host can set them, and browsers
    take them only with Secure and for all paths."""

    is_secure: bool

    @property
    def session(self) -> str:
        """Holds the sealed session."""
        return self._name("session")

    @property
    def visit(self) -> str:
        """Holds a random text that the log-in form is bound to."""
        return self._name("visit")

    @property
    def language(self) -> str:
        """Holds the chosen language."""
        return self._name("language")

    def keep_session(self, response: Response, value: str, left_s: float) -> None:
        """Set the session for as long as it lasts."""
        self._set(response, self.session, value, int(left_s))

    def drop_session(self, response: Response) -> None:
        """Forget the session."""
        self._set(response, self.session, "", 0)

    def keep_visit(self, response: Response, value: str) -> None:
        """Set the visit."""
        self._set(response, self.visit, value, SESSION_S)

    def keep_language(self, response: Response, value: str) -> None:
        """Set the language."""
        self._set(response, self.language, value, LANGUAGE_S)

    def _name(self, what: str) -> str:
        return f"{'__Host-' if self.is_secure else ''}lyceum-web-{what}"

    def _set(self, response: Response, name: str, value: str, age_s: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            path="/" if self.is_secure else BASE,
            secure=self.is_secure,
            httponly=True,
            samesite="lax",
        )

"""Every bound of the web client, with its unit."""

from __future__ import annotations

from typing import Final

REQUEST_DEADLINE_S: Final = 15.0
"""From the first byte of a request to the last of its answer; every wait inside ends by then."""
PAGE_MARGIN_S: Final = 2.0
"""Kept of the deadline for making the page out of what has arrived."""
CONNECT_TIMEOUT_S: Final = 2.0
GATEWAY_CONNECTIONS: Final = 64
PANEL_CALLS_AT_ONCE: Final = 8
"""Calls to the gateway that one page has under way at a time."""
CALLS_PER_PAGE: Final = 64
ANSWER_BYTES: Final = 1024 * 1024
"""Of one answer of the gateway."""

REQUESTS_AT_ONCE: Final = 128
FORM_BYTES: Final = 16 * 1024
FORM_FIELDS: Final = 16
URL_CHARS: Final = 2048
USERNAME_CHARS: Final = 200
PASSWORD_CHARS: Final = 1000

SESSION_S: Final = 12 * 3600
"""From log-in to the end of the cookie, however busy the session is."""
RENEW_BEFORE_S: Final = 30.0
"""An access token that ends sooner than this is renewed first."""
COOKIE_BYTES: Final = 4000
"""Browsers keep 4096 bytes of a cookie, its name and attributes included."""
LANGUAGE_S: Final = 365 * 24 * 3600

SUCCESSORS: Final = 10_000
SUCCESSOR_S: Final = 600.0
"""How long the follower of a spent refresh token is remembered: a browser may never have received its cookie."""
ENDED_SESSIONS: Final = 10_000
ENDED_S: Final = 900.0
"""Longer than an access token lives: after that, a cookie of a session that was logged out is worth nothing."""
ZONE_S: Final = 600.0
"""How long the day zone that the gateway told is believed."""

RETRY_AFTER_S: Final = 5
"""What a client is told that is limited, where the gateway did not say."""
MAX_RETRY_AFTER_S: Final = 3600
KEEP_ALIVE_S: Final = 75
"""Longer than the gateway keeps an idle connection, so that it is never the one who finds it closed."""
FINISH_S: Final = 16
"""For what is in flight when the process is asked to end: longer than any request may take."""

"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from lyceum_client.errors import BadAnswer

T = TypeVar("T")
Page = Callable[[str], Awaitable[tuple[Sequence[T], str]]]
"""The items of the page with this token, and the token of the next one, empty on the last."""


async def each(page: Page[T], first: str) -> AsyncIterator[T]:
    """Every item, the next page fetched when it is needed. Raises `BadAnswer` for a page that follows itself."""
    token = first
    while True:
        items, following = await page(token)
        for item in items:
            yield item
        if not following:
            return
        if following == token:
            raise BadAnswer("next_page_token", "names the page that it came with")
        token = following

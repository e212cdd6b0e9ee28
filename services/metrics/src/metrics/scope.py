"""Which content figures are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metrics.projections.registry import COMMUNITY_ROLES


@dataclass(frozen=True, slots=True)
class Scope:
    """Content of a creator, one content, content with a tag; each narrows what the others leave. Nothing given: all
    that members do, be it with content that is known or not."""

    creator_id: str = ""
    content_id: str = ""
    tag: str = ""

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.creator_id or self.content_id or self.tag)

    @property
    def contents(self) -> str:
        """The condition on the table `content`, named `c`."""
        given = {
            "c.creator_id = %(creator_id)s": self.creator_id,
            "c.content_id = %(content_id)s": self.content_id,
            "c.tags ? %(tag)s": self.tag,
        }
        return " AND ".join(condition for condition, value in given.items() if value) or "true"

    @property
    def days(self) -> str:
        """What members did day by day, as a table to read from. A member and day may have several rows."""
        if self.everything:
            return "member_day"
        return f"(SELECT d.* FROM content c JOIN member_content_day d USING (content_id) WHERE {self.contents})"  # noqa: S608

    @property
    def journeys(self) -> str:
        """How far members have come with the content, as a table to read from; only content that is known."""
        columns = "j.*, c.title, c.access, c.creator_id"
        return f"(SELECT {columns} FROM content c JOIN member_content j USING (content_id) WHERE {self.contents})"  # noqa: S608

    @property
    def orders(self) -> str:
        """The condition on the table `placed_order`, named `o`; also products that are no content have a creator."""
        tagged = "SELECT FROM content c WHERE c.content_id = o.product_id AND c.tags ? %(tag)s"
        given = {
            "o.creator_id = %(creator_id)s": self.creator_id,
            "o.product_id = %(content_id)s": self.content_id,
            f"EXISTS ({tagged})": self.tag,
        }
        return " AND ".join(condition for condition, value in given.items() if value) or "true"

    @property
    def parameters(self) -> dict[str, Any]:
        """What the conditions name, and the roles of community members."""
        return {
            "creator_id": self.creator_id,
            "content_id": self.content_id,
            "tag": self.tag,
            "roles": list(COMMUNITY_ROLES),
        }

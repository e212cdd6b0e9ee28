"""Who may call catalog's RPCs, and which projections its queries read."""

from __future__ import annotations

from typing import Final

from catalog.projections.access_mirror import MIRROR
from catalog.projections.contents import COMMENTING, COUNTING, INDEX
from servicekit.imports import IMPORTER
from servicekit.policy import Policies, Policy

SERVICE: Final = "lyceum.catalog.v1.CatalogService"
CREATORS: Final = ("creator",)

POLICIES: Final[Policies] = {
    "Publish": Policy("command", CREATORS, idempotent=True),
    "PublishContent": Policy("command", CREATORS, idempotent=True),
    "GetContent": Policy("query", anyone=True, reads=(MIRROR.name, COUNTING.name)),
    "ListContents": Policy("query", anyone=True, reads=(INDEX.name, COUNTING.name)),
    "ListComments": Policy("query", anyone=True, reads=(COMMENTING.name,)),
    "RecordInteraction": Policy("command", idempotent=True),
    "RecordInteractions": Policy("command"),
    "ImportContents": Policy("import", (IMPORTER,)),
    "ImportInteractions": Policy("import", (IMPORTER,)),
}

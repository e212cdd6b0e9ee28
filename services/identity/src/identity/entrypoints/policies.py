"""Who may call identity's RPCs, and which projections its queries read."""

from __future__ import annotations

from typing import Final

from identity.domain.member import ADMIN
from identity.projections.directory import DIRECTORY
from servicekit.imports import IMPORTER
from servicekit.policy import Policies, Policy

SERVICE: Final = "lyceum.identity.v1.IdentityService"

POLICIES: Final[Policies] = {
    "Register": Policy("credential", anyone=True, idempotent=True),
    "LogIn": Policy("credential", anyone=True),
    # Whoever holds a refresh token may use and end its session; the access token may have expired.
    "RefreshSession": Policy("credential", anyone=True),
    "RevokeSession": Policy("credential", anyone=True),
    "IssueClaimCode": Policy("credential", anyone=True),
    "ClaimAccount": Policy("credential", anyone=True),
    "GetMember": Policy("query", reads=(DIRECTORY.name,)),
    "GrantRole": Policy("command", (ADMIN,), idempotent=True),
    "ImportMembers": Policy("import", (IMPORTER,)),
    "GetJwks": Policy("query", anyone=True),
    "GetOpenIdConfiguration": Policy("query", anyone=True),
}

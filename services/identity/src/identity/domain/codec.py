"""Stored names and versions of identity's events."""

from eventfold import EventCodec
from identity.domain import member, session, username

CODEC = EventCodec(
    {
        member.MemberRegistered: ("member.registered", 1),
        member.ClaimCodeIssued: ("member.claim_code_issued", 1),
        member.ClaimCodeMissed: ("member.claim_code_missed", 1),
        member.MemberClaimed: ("member.claimed", 1),
        member.PasswordRehashed: ("member.password_rehashed", 1),
        member.RoleGranted: ("member.role_granted", 1),
        username.UsernameClaimed: ("username.claimed", 1),
        session.SessionStarted: ("session.started", 1),
        session.SessionRefreshed: ("session.refreshed", 1),
        session.SessionRevoked: ("session.revoked", 1),
    }
)

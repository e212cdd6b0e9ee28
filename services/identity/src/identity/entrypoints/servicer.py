"""identity over gRPC."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from contracts.external_ids import imported_id
from eventfold import Outcome, Sealed
from eventfold.errors import KeyDestroyed, NotFound
from identity.adapters.passwords import AttemptLimiter, Passwords
from identity.adapters.queries import Directory
from identity.adapters.tokens import Hashes, Issuers
from identity.application.accounts import Accounts, ImportedMember, NewMember
from identity.application.password_hashes import NOBODY, PasswordHashes
from identity.application.sessions import LogInFailed, SessionEnded, Sessions
from identity.domain.member import ROLES, WRONG_CODE, WrongCode
from identity.domain.policy import canonical, check_contact, check_new_username, check_password, check_username
from identity.entrypoints.claim_codes import ClaimCodes
from lyceum.identity.v1 import identity_pb2 as pb
from lyceum.identity.v1 import identity_pb2_grpc
from servicekit import imports, security, validate
from servicekit.call import Call, current_call
from servicekit.times import timestamp

REGISTERED = "User registered successfully."
CODE_SENT = "If the account waits to be claimed, a code is on its way. 若该账号待认领，验证码已发送。"
CLAIMED = "Account claimed successfully."
MAX_REFRESH_CHARS = 200
TOKEN_TYPE = "Bearer"  # noqa: S105 - a scheme's name


@dataclass(frozen=True)
class Parts:
    """The objects that the servicer uses."""

    accounts: Accounts
    password_hashes: PasswordHashes
    sessions: Sessions
    directory: Directory
    passwords: Passwords
    limiter: AttemptLimiter
    hashes: Hashes
    issuers: Issuers
    claim_codes: ClaimCodes
    common_passwords: frozenset[str]
    public_url: str


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """Parses and checks requests, calls the application, builds answers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def Register(self, request: pb.RegisterRequest, context: Any) -> pb.RegisterResponse:
        call, parts = current_call(), self._parts
        username = check_new_username(request.username)
        check_password(request.password, username, parts.common_passwords)
        email, phone = request.email or None, request.phone or None
        check_contact(email, phone)
        role = validate.one_of(request.role or "consumer", "role", ("consumer", "creator"))
        new = NewMember(
            username=username,
            email=email,
            phone=phone,
            role=role,
            password_hash=await parts.passwords.hash(request.password),
        )
        handled = await parts.accounts.register(
            new, str(uuid.uuid4()), self._index(username), call.context(), call.idempotency(request, ["password"])
        )
        await call.recorded(handled.position)
        return pb.RegisterResponse(message=REGISTERED)

    async def LogIn(self, request: pb.LogInRequest, context: Any) -> pb.LogInResponse:
        call, parts = current_call(), self._parts
        index = self._index(request.username)
        parts.limiter.take(index, call.client)
        found = await parts.accounts.find(index)
        member_id, member = found or ("", None)
        encoded = await parts.password_hashes.open(member)
        if not await parts.passwords.verify(encoded, request.password) or not member or not encoded:
            raise LogInFailed("wrong username or password 用户名或密码错误")
        parts.limiter.succeeded(index, call.client)
        await self._rehash(member_id, encoded, request.password)
        session_id = str(uuid.uuid4())
        secret = parts.hashes.new_refresh_secret(session_id)
        await parts.sessions.start(session_id, member_id, parts.hashes.refresh(secret), call.context())
        return pb.LogInResponse(
            access_token=parts.issuers.current().access_token(member_id, member.role, session_id, call.now),
            refresh_token=f"{session_id}.{secret}",
            token_type=TOKEN_TYPE,
            member_id=member_id,
            role=member.role,
            expires_in_s=int(parts.issuers.lifetime.total_seconds()),
        )

    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Any) -> pb.RefreshSessionResponse:
        call, parts = current_call(), self._parts
        session_id, presented = self._presented(request.refresh_token)
        secret = parts.hashes.following_refresh_secret(session_id, presented)
        member_id = await parts.sessions.refresh(
            session_id, parts.hashes.refresh(presented), parts.hashes.refresh(secret), call.context()
        )
        member = await parts.accounts.member(member_id)
        if member is None:
            raise SessionEnded("the session has ended; log in again", field="refresh_token")
        return pb.RefreshSessionResponse(
            access_token=parts.issuers.current().access_token(member_id, member.role, session_id, call.now),
            refresh_token=f"{session_id}.{secret}",
            token_type=TOKEN_TYPE,
            expires_in_s=int(parts.issuers.lifetime.total_seconds()),
        )

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Any) -> pb.RevokeSessionResponse:
        session_id, presented = self._presented(request.refresh_token)
        await self._parts.sessions.revoke(session_id, self._parts.hashes.refresh(presented), current_call().context())
        return pb.RevokeSessionResponse()

    async def GetMember(self, request: pb.GetMemberRequest, context: Any) -> pb.GetMemberResponse:
        call = current_call()
        caller = call.require_caller()
        member = await self._parts.accounts.member(caller.member_id)
        if member is None:
            raise NotFound("there is no such member", member_id=caller.member_id)
        personal = await self._parts.accounts.open(caller.member_id, member)
        registered_at = await self._parts.directory.registered_at(caller.member_id)
        return pb.GetMemberResponse(
            member_id=caller.member_id,
            role=member.role,
            claimed=member.password_hash is not None,
            registered_at=timestamp(registered_at),
            **personal,
        )

    async def IssueClaimCode(self, request: pb.IssueClaimCodeRequest, context: Any) -> pb.IssueClaimCodeResponse:
        call, parts = current_call(), self._parts
        index = self._index(check_username(request.username))
        parts.limiter.take_of_client(index, call.client)
        found = await parts.accounts.find(index)
        if found and found[1].password_hash is None:
            parts.claim_codes.start(*found, call.context())
        return pb.IssueClaimCodeResponse(message=CODE_SENT)

    async def ClaimAccount(self, request: pb.ClaimAccountRequest, context: Any) -> pb.ClaimAccountResponse:
        call, parts = current_call(), self._parts
        username = check_username(request.username)
        check_password(request.password, username, parts.common_passwords)
        parts.limiter.take_of_client(self._index(username), call.client)
        found = await parts.accounts.find(self._index(username))
        member_id, member = found or (NOBODY, None)
        password_hash = await self._sealed(member_id, await parts.passwords.hash(request.password))
        if member is None or member.password_hash is not None:
            raise WrongCode(WRONG_CODE, field="code")
        handled = await parts.accounts.claim(
            member_id, parts.hashes.code(member_id, request.code), password_hash, call.context()
        )
        await call.recorded(handled.position)
        return pb.ClaimAccountResponse(message=CLAIMED)

    async def GrantRole(self, request: pb.GrantRoleRequest, context: Any) -> pb.GrantRoleResponse:
        call = current_call()
        granter_id = call.require_caller().member_id
        member_id = validate.text(request.member_id, "member_id", max_chars=validate.MAX_ID_CHARS)
        role = validate.one_of(request.role, "role", ROLES)
        handled = await self._parts.accounts.grant_by(
            granter_id, member_id, role, call.context(), call.idempotency(request)
        )
        if handled.position is not None and not handled.replayed:
            security.log_grant(member_id, role)
        return pb.GrantRoleResponse(**handled.answer, consistency_token=await call.recorded(handled.position))

    async def ImportMembers(self, request: pb.ImportMembersRequest, context: Any) -> pb.ImportMembersResponse:
        call = current_call()
        imports.check_batch(call, request.dataset, len(request.items))

        async def record(rows: list[ImportedMember]) -> tuple[list[Outcome], int | None]:
            indexes = [self._index(row.username) for row in rows]
            return await self._parts.accounts.import_members(rows, indexes, call.context())

        results, position = await imports.run(
            [item.external_id for item in request.items],
            request.items,
            lambda item: _imported(request.dataset, item, call),
            record,
            lambda row: row.member_id,
        )
        token = await call.recorded(position, covers_all=True)
        return pb.ImportMembersResponse(results=results, consistency_token=token)

    async def GetJwks(self, request: pb.GetJwksRequest, context: Any) -> pb.GetJwksResponse:
        published = self._parts.issuers.published()
        keys = [pb.Jwk(**issuer.public_jwk(), kid=issuer.kid, use="sig", alg="ES256") for issuer in published]
        return pb.GetJwksResponse(keys=keys)

    async def GetOpenIdConfiguration(
        self, request: pb.GetOpenIdConfigurationRequest, context: Any
    ) -> pb.GetOpenIdConfigurationResponse:
        base = self._parts.public_url.rstrip("/")
        return pb.GetOpenIdConfigurationResponse(
            issuer=self._parts.issuers.issuer,
            jwks_uri=f"{base}/.well-known/jwks.json",
            token_endpoint=f"{base}/v1/sessions",
            id_token_signing_alg_values_supported=["ES256"],
            response_types_supported=["token"],
            subject_types_supported=["public"],
        )

    def _index(self, username: str) -> str:
        return self._parts.hashes.username_index(canonical(username))

    async def _rehash(self, member_id: str, encoded: str, password: str) -> None:
        """Store the password's hash with today's parameters, if they are stronger."""
        if self._parts.passwords.outdated(encoded):
            renewed = await self._parts.passwords.hash(password)
            sealed = await self._parts.password_hashes.seal(member_id, renewed)
            await self._parts.accounts.rehash(member_id, sealed, current_call().context())

    async def _sealed(self, member_id: str, encoded: str) -> Sealed:
        """The hash sealed under the member's key. For an erased account the error is that of a wrong code."""
        try:
            return await self._parts.password_hashes.seal(member_id, encoded)
        except KeyDestroyed:
            raise WrongCode(WRONG_CODE, field="code") from None

    def _presented(self, refresh_token: str) -> tuple[str, str]:
        """Session and secret of a token that was once issued. Any other token ends no session."""
        session_id, _, secret = refresh_token.partition(".")
        if len(refresh_token) > MAX_REFRESH_CHARS or not self._parts.hashes.issued(session_id, secret):
            raise SessionEnded("the session has ended; log in again 会话已失效，请重新登录", field="refresh_token")
        return session_id, secret


def _imported(dataset: str, item: pb.ImportMember, call: Call) -> ImportedMember:
    external_id = validate.text(item.external_id, "external_id", max_chars=imports.MAX_EXTERNAL_ID_CHARS)
    return ImportedMember(
        imported_id("member", dataset, external_id),
        check_new_username(item.username),
        validate.one_of(item.role, "role", ("consumer", "creator")),
        validate.past_time(item.registered_at, "registered_at", call.now),
    )

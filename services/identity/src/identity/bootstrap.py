"""identity, wired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import grpc

from contracts.events.identity import TOPICS
from eventfold import FoldGroup
from eventfold_ops.deployment import Deployment
from identity.adapters.notifier import FileNotifier, Notifier, WebhookNotifier
from identity.adapters.passwords import AttemptLimiter, Passwords, common_passwords
from identity.adapters.queries import Directory
from identity.adapters.tokens import Hashes, Issuers
from identity.application.accounts import Accounts
from identity.application.password_hashes import PasswordHashes
from identity.application.publication import to_public
from identity.application.sessions import Sessions
from identity.domain.codec import CODEC
from identity.entrypoints.claim_codes import ClaimCodes
from identity.entrypoints.operator import create_account, create_importer, find_member
from identity.entrypoints.policies import POLICIES, SERVICE
from identity.entrypoints.servicer import IdentityServicer, Parts
from identity.keyring import index_key, key_kinds, signing_ring
from identity.projections.directory import DIRECTORY
from identity.settings import IdentitySettings
from lyceum.identity.v1.identity_pb2_grpc import add_IdentityServiceServicer_to_server
from servicekit.definition import ServiceDefinition, Wiring
from servicekit.operating import deployment_of
from servicekit.policy import guarded
from servicekit.server import read_gate


class NotifierMissing(ValueError):
    """Production needs NOTIFIER_URL, because one-time codes must reach their members."""


def notifier(settings: IdentitySettings) -> Notifier:
    """The notifier of the profile. Raises `NotifierMissing`."""
    if settings.notifier_url:
        return WebhookNotifier(settings.notifier_url)
    if settings.is_local:
        return FileNotifier(settings.key_dir / "notifications.jsonl")
    raise NotifierMissing("set NOTIFIER_URL to where one-time codes are to be posted")


def parts(wiring: Wiring) -> Parts:
    """Everything the servicer needs."""
    settings: IdentitySettings = wiring.settings
    lifetime = timedelta(seconds=settings.access_token_s)
    accounts = Accounts(wiring.store, wiring.pool, wiring.subject_keys)
    hashes = Hashes(index_key(settings))
    return Parts(
        accounts=accounts,
        password_hashes=PasswordHashes(wiring.pool, wiring.subject_keys),
        sessions=Sessions(wiring.store, timedelta(days=settings.session_days)),
        directory=Directory(wiring.queries),
        passwords=Passwords(),
        limiter=AttemptLimiter(),
        hashes=hashes,
        issuers=Issuers(signing_ring(settings).keys, settings.jwt_issuer, settings.jwt_audience, lifetime),
        claim_codes=ClaimCodes(accounts, hashes, notifier(settings), timedelta(seconds=settings.claim_code_s)),
        common_passwords=frozenset() if settings.is_local else common_passwords(),
        public_url=settings.public_url,
    )


async def register(wiring: Wiring, server: grpc.aio.Server) -> list[str]:
    """Add the servicer."""
    servicer = guarded(SERVICE, [(IdentityServicer(parts(wiring)), POLICIES)], read_gate(wiring))
    add_IdentityServiceServicer_to_server(servicer, server)
    return [SERVICE]


DEFINITION = ServiceDefinition(
    name="identity",
    settings=IdentitySettings,
    migrations=Path(__file__).parent / "migrations",
    codec=CODEC,
    to_public=to_public,
    register=register,
    policies={SERVICE: POLICIES},
    topics=TOPICS,
    groups=(FoldGroup("directory", (DIRECTORY,), parks=True),),
    commands={"create-account": create_account, "create-importer": create_importer, "find-member": find_member},
    key_kinds=key_kinds,
)


def deployment() -> Deployment:
    """The service for `eventfold --app identity.bootstrap:deployment`."""
    return deployment_of(DEFINITION)

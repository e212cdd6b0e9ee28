"""Commands for operators, on the machine itself: `python -m identity create-importer --username NAME`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from eventfold import Context
from eventfold.errors import AlreadyExists, DomainError
from identity.adapters.passwords import Passwords, common_passwords
from identity.adapters.tokens import Hashes
from identity.application.accounts import Accounts, NewMember
from identity.application.password_hashes import PasswordHashes
from identity.domain.policy import canonical, check_password, check_username
from identity.keyring import index_key
from identity.settings import IdentitySettings
from servicekit import database
from servicekit.definition import ServiceDefinition, wire

ROLE = "importer"


def create_importer(definition: ServiceDefinition, settings: IdentitySettings, arguments: Sequence[str]) -> None:
    """Register an account with the role `importer`. Safe to repeat with the same password.

    An account of that name gets the role only if the password is its own: somebody else may have taken the name.
    """
    parser = argparse.ArgumentParser(prog="identity create-importer", description=create_importer.__doc__)
    parser.add_argument("--username", required=True)
    parser.add_argument("--password-stdin", action="store_true", required=True, help="read the password's line")
    given = parser.parse_args(arguments).username
    common = frozenset[str]() if settings.is_local else common_passwords()
    try:
        username = check_username(given)
        password = check_password(sys.stdin.readline().rstrip("\r\n"), username, common)
        asyncio.run(_create(definition, settings, username, password))
    except DomainError as refusal:
        parser.exit(1, f"create-importer: {refusal.field}: {refusal}\n")


async def _create(definition: ServiceDefinition, settings: IdentitySettings, username: str, password: str) -> None:
    context = Context(datetime.now(UTC), actor="operator", correlation_id=str(uuid.uuid4()))
    index = Hashes(index_key(settings)).username_index(canonical(username))
    async with database.make_pool(settings.database_url, 2) as pool:
        wiring = wire(definition, settings, pool, lambda: None)
        accounts, passwords = Accounts(wiring.store, pool, wiring.subject_keys), Passwords()
        hashes = PasswordHashes(pool, wiring.subject_keys)
        found = await accounts.find(index)
        if found is None:
            new = NewMember(
                username=username, email=None, phone=None, role="consumer", password_hash=await passwords.hash(password)
            )
            registered = await accounts.register(new, str(uuid.uuid4()), index, context, None)
            member_id = str(registered.answer["member_id"])
        elif await passwords.verify(await hashes.open(found[1]), password):
            member_id = found[0]
        else:
            raise AlreadyExists("the name belongs to an account with another password", field="username")
        await accounts.grant(member_id, ROLE, context)

"""Commands for operators, where the service's settings and keys are: `python -m identity create-account …`."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import psycopg
from pydantic import ValidationError

from eventfold import Context
from eventfold.errors import AlreadyExists, DomainError, InvalidInput
from identity.adapters.passwords import Passwords, common_passwords
from identity.adapters.tokens import Hashes
from identity.application.accounts import Accounts, NewMember
from identity.application.password_hashes import PasswordHashes
from identity.domain.member import ROLES
from identity.domain.policy import canonical, check_password, check_username
from identity.keyring import index_key
from identity.settings import IdentitySettings
from servicekit import database
from servicekit.definition import ServiceDefinition, wire

IMPORTER: Final = "importer"
REFUSED: Final = 1
NOT_SET: Final = 2


def create_importer(definition: ServiceDefinition, settings: IdentitySettings, arguments: Sequence[str]) -> None:
    """Make an account with the role `importer`, as `create-account --role importer` does."""
    _run(definition, settings, _parser("create-importer").parse_args([*arguments]), IMPORTER)


def create_account(definition: ServiceDefinition, settings: IdentitySettings, arguments: Sequence[str]) -> None:
    """Make an account with any role, those too that nobody can register into. Safe to repeat with the same password.

    An account of that name gets the role, instead of the one that it has, only if the password is its own: somebody
    else may have taken the name.
    """
    parser = _parser("create-account")
    parser.add_argument("--role", required=True, choices=ROLES)
    given = parser.parse_args([*arguments])
    _run(definition, settings, given, given.role)


def find_member(definition: ServiceDefinition, settings: IdentitySettings, arguments: Sequence[str]) -> None:
    """Print the id of the member with a username: for the other services, whose events know ids only. Leaves with 1 if
    there is none."""
    parser = argparse.ArgumentParser(prog="identity find-member")
    parser.add_argument("username")
    given = parser.parse_args([*arguments])
    try:
        found = asyncio.run(_find(definition, settings, given.username))
    except psycopg.Error as failure:
        _refuse(f"the database: {str(failure).strip() or type(failure).__name__}")
    if found is None:
        _refuse("nobody has this username")
    print(found)  # noqa: T201 - what a command says


async def _find(definition: ServiceDefinition, settings: IdentitySettings, username: str) -> str | None:
    index = Hashes(index_key(settings)).username_index(canonical(username))
    async with database.make_pool(settings.database_url, 1) as pool:
        wiring = wire(definition, settings, pool, lambda: None)
        found = await Accounts(wiring.store, pool, wiring.subject_keys).find(index)
    return found[0] if found else None


def settings_complaint(failure: ValidationError) -> str:
    """What is wrong with the environment, by the variables' names; no value is repeated."""
    found = [("_".join(map(str, one["loc"])).upper(), one["type"], one["msg"]) for one in failure.errors()]
    missing = [name for name, kind, _ in found if kind == "missing"]
    wrong = [f"{name}: {message}" for name, kind, message in found if kind != "missing"]
    told = [f"these variables are not set: {', '.join(missing)}"] if missing else []
    return "; ".join(told + wrong)


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"identity {name}")
    parser.add_argument("--username", required=True)
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, one line, and do not ask"
    )
    return parser


def _run(definition: ServiceDefinition, settings: IdentitySettings, given: argparse.Namespace, role: str) -> None:
    """Leaves with a sentence and 1 where something is refused."""
    common = frozenset[str]() if settings.is_local else common_passwords()
    try:
        username = check_username(given.username)
        password = check_password(_password(from_stdin=given.password_stdin), username, common)
        asyncio.run(_create(definition, settings, username, password, role))
    except DomainError as refusal:
        _refuse(f"{refusal.field}: {refusal}")
    except psycopg.Error as failure:
        _refuse(f"the database: {str(failure).strip() or type(failure).__name__}")
    except OSError as failure:
        _refuse(f"{failure.filename or 'input'}: {failure.strerror or failure}")
    print(f"{username} has the role {role}", file=sys.stderr)  # noqa: T201 - what a command says


def _refuse(sentence: str) -> None:
    print(f"identity: {sentence}", file=sys.stderr)  # noqa: T201 - what a command says
    sys.exit(REFUSED)


def _password(*, from_stdin: bool) -> str:
    """One line of standard input, or asked for twice where nobody else can read it. Raises `InvalidInput`."""
    if from_stdin:
        try:
            return sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidInput("must be in UTF-8", field="password") from None
    if not sys.stdin.isatty():
        raise InvalidInput("is asked for on a terminal, and this is none: say --password-stdin", field="password")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("The same again: "):
        raise InvalidInput("was not the same the second time", field="password")
    return first


async def _create(
    definition: ServiceDefinition, settings: IdentitySettings, username: str, password: str, role: str
) -> None:
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
        await accounts.grant(member_id, role, context)

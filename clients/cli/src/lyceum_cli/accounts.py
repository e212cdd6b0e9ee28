"""`lyceum account`: accounts with roles that nobody can register with, made by an admin through the gateway."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote

import click

from lyceum_cli import output, typed
from lyceum_cli.errors import CliError, NameTaken, NotAdmin, Refused, RoleNotGranted
from lyceum_cli.gateway import Gateway, text_of

ADMIN: Final = "admin"
ROLES: Final = ("consumer", "creator", "importer", "auditor", ADMIN)
TAKEN: Final = "ALREADY_EXISTS"


@dataclass(frozen=True, slots=True)
class Account:
    """A member and the role that it has now."""

    member_id: str
    role: str


@click.group("account")
def account_group() -> None:
    """Make accounts and give roles, as an admin."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What both commands take."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--password-stdin", is_flag=True, help="Read passwords from standard input, a line each."),
        click.option("--username", required=True, help="An account with the role `admin`."),
        click.option("--gateway", required=True, metavar="URL", help="Where the gateway answers."),
        click.option("--role", required=True, type=click.Choice(ROLES), help="In place of the one that it has."),
    ):
        command = option(command)
    return command


@account_group.command("create")
@click.argument("name")
@_options
def create(name: str, role: str, gateway: str, username: str, password_stdin: bool, as_json: bool) -> None:
    """Register NAME and give it a role. Standard input: the admin's password, then the new account's."""
    typed.require_stdin(password_stdin)
    name, username = typed.argument("the name", name), typed.argument("--username", username)
    password = typed.password("the admin's password")
    new_password = typed.password("the new account's password", again=True)
    made = asyncio.run(_create(gateway, (username, password), (name, new_password), role))
    if as_json:
        output.say(json.dumps({"username": name, **asdict(made)}) + "\n")
    else:
        output.say(f"{name} has the role {made.role}; its member id is {made.member_id}\n")


@account_group.command("grant")
@click.argument("member_id")
@_options
def grant(member_id: str, role: str, gateway: str, username: str, password_stdin: bool, as_json: bool) -> None:
    """Give the account MEMBER_ID a role. Standard input: the admin's password."""
    typed.require_stdin(password_stdin)
    member_id, username = typed.argument("the member id", member_id), typed.argument("--username", username)
    password = typed.password("the admin's password")
    granted = asyncio.run(_grant(gateway, (username, password), Account(member_id, role)))
    if as_json:
        output.say(json.dumps(asdict(granted)) + "\n")
    else:
        output.say(f"{granted.member_id} has the role {granted.role} from its next log-in or refreshed session on\n")


async def _create(url: str, admin: tuple[str, str], new: tuple[str, str], role: str) -> Account:
    async with Gateway(url) as gateway:
        await _log_in(gateway, *admin)
        return await create_account(gateway, *new, role)


async def _grant(url: str, admin: tuple[str, str], wanted: Account) -> Account:
    async with Gateway(url) as gateway:
        await _log_in(gateway, *admin)
        return await grant_role(gateway, wanted)


async def _log_in(gateway: Gateway, username: str, password: str) -> None:
    """Raises `NotAdmin` before anything is sent that only an admin may send."""
    await gateway.reach()
    await gateway.log_in(username, password)
    if gateway.role != ADMIN:
        raise NotAdmin(username, gateway.role)


async def create_account(gateway: Gateway, name: str, password: str, role: str) -> Account:
    """Register a name as a consumer, and give it a role; the gateway is logged in as an admin.

    Raises `NameTaken` where there is such an account already, whoever's it is; `RoleNotGranted` where only the second
    half failed; `Refused` for a name or password that is not allowed.
    """
    try:
        body = {"username": name, "password": password}
        await gateway.post("/register", body, idempotency_key=str(uuid.uuid4()), anonymous=True)
    except Refused as refusal:
        if refusal.reason == TAKEN:
            raise NameTaken(name, role) from refusal
        raise
    member = gateway.another()
    try:
        await member.log_in(name, password)  # the answer to a registration does not tell the id
        return await grant_role(gateway, Account(member.member_id, role))
    except CliError as failure:
        raise RoleNotGranted(name, member.member_id, role, failure) from failure


async def grant_role(gateway: Gateway, wanted: Account) -> Account:
    """Give an account its role in place of the one that it has. Raises `Refused`."""
    path = f"/v1/members/{quote(wanted.member_id, safe='')}:grantRole"
    answer = await gateway.post(path, {"role": wanted.role}, idempotency_key=str(uuid.uuid4()))
    return Account(text_of(path, answer.body, "member_id"), text_of(path, answer.body, "role"))

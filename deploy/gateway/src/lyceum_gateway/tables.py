"""What the filters know of the public RPCs: Lua's tables and the rules of tokens, both of `METHODS`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from lyceum_gateway import notes
from lyceum_gateway.bodies import FORMS
from lyceum_gateway.method import Bearer, Field, Method
from lyceum_gateway.methods import FIELDS, METHODS
from lyceum_gateway.pages import LOG_IN, PATH

OPENAPI_PATH, DOCS_PATH = "/openapi.yaml", "/docs"
_OWN = tuple(Method("", "GET", path, "", "ignored", "query") for path in (OPENAPI_PATH, DOCS_PATH))
"""Served by the gateway itself."""
_REQUIRED: Mapping[Bearer, object] = {
    "checked": {"requires_any": {"requirements": [{"provider_name": "lyceum"}, {"allow_missing": {}}]}},
    "demanded": {"provider_name": "lyceum"},
}
_VARIABLE = re.compile(r"\{\w+\}")


def routes() -> str:
    """The Lua table of what each request may mean, and what the filters note of it."""
    return _assigned("ROUTES", [{**one._asdict(), "roles": _named(one.roles)} for one in (*METHODS, *_OWN)])


def fields() -> str:
    """The Lua table of the fields of each message, by both of their names."""
    return _assigned("FIELDS", {message: _by_name(all_of_it) for message, all_of_it in FIELDS.items()})


def forms() -> str:
    """The Lua table of the paths that take a form."""
    return _assigned("FORMS", dict.fromkeys(FORMS, True))


def pages(has_pages: bool) -> str:
    """What the Lua filter knows of the pages of a web client; nothing where there is none."""
    return _assigned("PAGES", {"at": PATH, "log_in": LOG_IN}) if has_pages else _assigned("PAGES", {})


def _by_name(fields: Sequence[Field]) -> dict[str, list[str | bool]]:
    return {name: [one.name, one.of, one.many] for one in fields for name in (one.name, one.json_name)}


def _assigned(name: str, value: object) -> str:
    return f"local {name} = {_lua(value)}\n"


def _lua(value: object) -> str:
    """Names and paths hold nothing that JSON and Lua would write differently."""
    if isinstance(value, Mapping):
        return (
            "{"
            + ",".join(f"[{json.dumps(key)}]={_lua(one)}" for key, one in value.items() if one not in ("", False))
            + "}"
        )
    if isinstance(value, list):
        return "{" + ",".join(map(_lua, value)) + "}"
    return json.dumps(value)


def token_rules() -> Iterator[dict[str, object]]:
    """Whose token is asked for where, for both roads: the first that matches counts, and the last demands one."""
    for one in (*METHODS, *_OWN):
        if one.bearer != "demanded":
            yield from (_rule(match, one.bearer) for match in _matches(one))
    yield {"match": {"prefix": "/"}, "requires": _REQUIRED["demanded"]}


def role_rules() -> dict[str, object]:
    """What is refused to whom: RPCs that only some roles may call, to tokens of another role or of none. The first look
    at a request noted these roles, on both roads."""
    asked = dict.fromkeys(one.roles for one in METHODS if one.roles)
    return {"action": "DENY", "policies": {_named(roles): _role_rule(roles) for roles in asked}}


def _role_rule(roles: Sequence[str]) -> dict[str, object]:
    asked = _noted(notes.OURS, ["roles"], _named(roles))
    given = [_noted(notes.TOKEN, ["token", "role"], role) for role in roles]
    return {"permissions": [asked], "principals": [{"not_id": {"or_ids": {"ids": given}}}]}


def _noted(by: str, path: Sequence[str], text: str) -> dict[str, object]:
    return {"sourced_metadata": {"metadata_matcher": notes.matcher(by, path, notes.equal_to(text))}}


def _named(roles: Sequence[str]) -> str:
    return ", ".join(roles)


def _matches(one: Method) -> Iterator[dict[str, object]]:
    literal = {"path": one.path}
    template = {"safe_regex": {"regex": "[^/]+".join(map(re.escape, _VARIABLE.split(one.path)))}}
    verb = {"name": ":method", "string_match": {"exact": one.verb}}
    yield {**(template if "{" in one.path else literal), "headers": [verb]}
    if one.grpc:
        yield {"path": one.grpc}


def _rule(match: Mapping[str, object], bearer: Bearer) -> dict[str, object]:
    return {"match": match, "requires": _REQUIRED[bearer]} if bearer in _REQUIRED else {"match": match}

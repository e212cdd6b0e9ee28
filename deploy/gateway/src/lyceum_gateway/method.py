"""What the gateway knows of one RPC."""

from __future__ import annotations

from typing import Literal, NamedTuple

Bearer = Literal["demanded", "checked", "ignored"]
"""Whether an access token must be there, must be valid where there is one, or is nothing that the gateway looks at."""


class Method(NamedTuple):
    """An RPC on its two roads: `verb` and `path` for JSON, `grpc` for gRPC.

    `body` is the full name of the message that its JSON body is, empty where there is none or where it is not JSON of
    ours; `query` of that whose fields are its parameters, empty where it takes none. `rate` is that of its policy. Only
    `roles` may call it; where there are none, the service alone decides. One that
    `streams` answers with many messages, for JSON clients as server-sent events.
    """

    grpc: str
    verb: str
    path: str
    body: str
    bearer: Bearer
    rate: str
    query: str = ""
    roles: tuple[str, ...] = ()
    streams: bool = False


class Field(NamedTuple):
    """A field of a message by both names that JSON may call it by.

    `of` is the full name of its message, `map` or `map <full name>` for a map, empty for what has no fields; `many` of
    them are a list.
    """

    name: str
    json_name: str
    of: str
    many: bool = False

"""One role per service, with its own schema and a second one for rebuilds; no rights on other services' schemas."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from lyceum_local.errors import DatabaseRefused, NotPrepared
from lyceum_local.secrets_file import Secrets
from lyceum_local.settings import FURTHER
from servicekit.settings import POOL_CONNECTIONS_FURTHER

CONNECTIONS_PER_SERVICE = 30
"""Of a server, a worker and operators' commands; each further role adds the connections of its pools."""

STATEMENTS = (
    "ALTER ROLE {role} PASSWORD {password} CONNECTION LIMIT {limit}",
    "GRANT CONNECT ON DATABASE {db} TO {role}",
    "CREATE SCHEMA IF NOT EXISTS {schema}",
    "GRANT {role} TO CURRENT_USER",
    "ALTER SCHEMA {schema} OWNER TO {role}",
    "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC",
    "CREATE SCHEMA IF NOT EXISTS {shadow}",
    "ALTER SCHEMA {shadow} OWNER TO {role}",
    "REVOKE ALL ON SCHEMA {shadow} FROM PUBLIC",
    "ALTER ROLE {role} IN DATABASE {db} SET search_path = {schema}",
)
"""What makes a role the tenant of its two schemas and of nothing else. Safe to repeat."""
CREATE_ROLE = "CREATE ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE LOGIN"


def database_name(prefix: str) -> str:
    """`lyceum`, or `lyceum_t1` for the instance with the prefix `t1.`."""
    return "_".join(["lyceum", *_words(prefix)])


def role_name(prefix: str, service: str) -> str:
    """`identity`, or `t1_identity`: all databases of a server share its roles."""
    return "_".join([*_words(prefix), service])


def _words(prefix: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", prefix.lower())


def ensure_database(admin_url: str, prefix: str) -> None:
    """Creates the instance's database unless it exists; only roles with a grant can connect.

    Raises DatabaseRefused.
    """
    with _refusals():
        _ensure_database(admin_url, prefix)


def _ensure_database(admin_url: str, prefix: str) -> None:
    name = sql.Identifier(database_name(prefix))
    with psycopg.connect(admin_url, autocommit=True) as server:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database_name(prefix)]).fetchone():
            server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    with psycopg.connect(in_database(admin_url, prefix), autocommit=True) as database:
        database.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


def ensure_service(admin_url: str, prefix: str, service: str, secrets: Secrets) -> str:
    """Creates role and schemas of `service` unless they exist; returns the role's URL. Safe to repeat.

    Raises DatabaseRefused.
    """
    password = secrets.password(_secret(prefix, service))
    with _refusals():
        _ensure_service(admin_url, prefix, service, password)
    return service_url(admin_url, prefix, service, secrets)


def service_url(admin_url: str, prefix: str, service: str, secrets: Secrets) -> str:
    """The URL of the role that `ensure_service` created, without a query or change. Raises NotPrepared."""
    if not secrets.has(_secret(prefix, service)):
        raise NotPrepared(service, secrets.file)
    password = secrets.password(_secret(prefix, service))
    role = role_name(prefix, service)
    return _with(admin_url, user=role, password=password, database=database_name(prefix))


def _secret(prefix: str, service: str) -> str:
    return f"postgres-{role_name(prefix, service)}"


def _ensure_service(admin_url: str, prefix: str, service: str, password: str) -> None:
    role, schema = role_name(prefix, service), service
    names = {
        "role": sql.Identifier(role),
        "schema": sql.Identifier(schema),
        "shadow": sql.Identifier(f"{schema}_shadow"),
        "db": sql.Identifier(database_name(prefix)),
    }
    with psycopg.connect(in_database(admin_url, prefix)) as database:
        if not database.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            database.execute(sql.SQL(CREATE_ROLE).format(**names))
        for statement in STATEMENTS:
            literals = {"password": sql.Literal(password), "limit": sql.Literal(connections_of(service))}
            database.execute(sql.SQL(statement).format(**names, **literals))


def connections_of(service: str) -> int:
    """How many connections the role of `service` may have at once."""
    return CONNECTIONS_PER_SERVICE + 2 * POOL_CONNECTIONS_FURTHER * len(FURTHER.get(service, ()))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns PostgreSQL's own refusals, for example of a full disk, into DatabaseRefused with a sentence."""
    try:
        yield
    except psycopg.Error as refused:
        raise DatabaseRefused(" ".join(str(refused).split()) or type(refused).__name__) from refused


def in_database(admin_url: str, prefix: str) -> str:
    """The administrator's URL for the instance's database."""
    parts = urlsplit(admin_url)
    return urlunsplit(parts._replace(path="/" + database_name(prefix)))


def _with(url: str, *, user: str, password: str, database: str) -> str:
    parts = urlsplit(url)
    address = f"{parts.hostname or ''}:{parts.port or 5432}"
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password)}@{address}", path="/" + database))

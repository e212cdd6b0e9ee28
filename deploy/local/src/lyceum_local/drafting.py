"""`make migration`: drafts a service's next migration against a scratch schema that its existing migrations created."""

from __future__ import annotations

import importlib
import uuid
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lyceum_local.stack import LocalStack
from servicekit import drafting, migrate
from servicekit.definition import ServiceDefinition


def draft(stack: LocalStack, service: str, name: str) -> Path | None:
    """Write the migration; None if the tables match their declarations. PostgreSQL must run. Raises `BadName`."""
    definition: ServiceDefinition = importlib.import_module(f"{service}.bootstrap").DEFINITION
    tables = [table for projection in definition.projections for table in projection.tables]
    schema = f"draft_{uuid.uuid4().hex[:12]}"
    url = make_conninfo(stack.admin_url, options=f"-csearch_path={schema}")
    with psycopg.connect(stack.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        try:
            migrate.migrate(_as_url(stack.admin_url, schema), definition.migrations)
            with psycopg.connect(url) as conn:
                made = drafting.statements(conn, tables)
        finally:
            admin.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    return drafting.write(definition.migrations, name, made) if made else None


def _as_url(admin_url: str, schema: str) -> str:
    return f"{admin_url}?options=-csearch_path%3D{schema}"

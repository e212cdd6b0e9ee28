"""Alembic's environment, shared by all services: one transaction, and one migrator per schema at a time."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from eventfold.postgres import locks, schema
from servicekit.migrate import query_of

engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({locks.key('migration')})"))
        schema.upgrade(query_of(connection))
        context.run_migrations()
    connection.commit()

"""Alembic's entry: the steps run in the transaction that ``migrate`` began.

``migrations`` is a folder of scripts, no package: Alembic loads them by their paths.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # SQLite can, and migrate.py begins the transaction
)
context.run_migrations()

"""Policies that were signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

HASH, NAME, BIG = sa.String(64), sa.String(16), sa.BigInteger()


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "policies",
        sa.Column("site", NAME, nullable=False),
        sa.Column("device", NAME, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("digest", HASH, nullable=False),
        sa.Column("received", HASH, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("signed", BIG, nullable=False),
        sa.Column("pushed", BIG),
        sa.Column("in_force", BIG),
        sa.PrimaryKeyConstraint("site", "device", "version", name="pk_policies"),
    )

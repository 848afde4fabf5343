"""Shops that have a broker of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "site_brokers",
        sa.Column("site", sa.String(16), nullable=False),
        sa.Column("host", sa.String(253), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site", name="pk_site_brokers"),
        sa.ForeignKeyConstraint(
            ["site"], ["sites.name"], name="fk_site_brokers_site_sites"
        ),
    )

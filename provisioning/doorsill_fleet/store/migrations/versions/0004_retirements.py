"""Devices that are retired, with the record of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "retirements",
        sa.Column("serial", sa.String(16), nullable=False),
        sa.Column("retired", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_retirements"),
        sa.ForeignKeyConstraint(
            ["serial"], ["devices.serial"], name="fk_retirements_serial_devices"
        ),
    )

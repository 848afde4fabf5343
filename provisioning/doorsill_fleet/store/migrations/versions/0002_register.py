"""Sites, devices, vouchers, certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

HASH, NAME, BIG = sa.String(64), sa.String(16), sa.BigInteger()


def upgrade() -> None:
    """Make the register's tables."""
    op.create_table(
        "sites",
        sa.Column("name", NAME, nullable=False),
        sa.Column("approves", sa.Boolean(), nullable=False),
        sa.Column("added", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sites"),
    )
    op.create_table(
        "devices",
        sa.Column("serial", NAME, nullable=False),
        sa.Column("site", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("added", BIG, nullable=False),
        sa.Column("asked_key", HASH),
        sa.Column("approved_key", HASH),
        sa.PrimaryKeyConstraint("serial", name="pk_devices"),
        sa.ForeignKeyConstraint(["site"], ["sites.name"], name="fk_devices_site_sites"),
        sa.UniqueConstraint("site", "name", name="uq_devices_site"),
    )
    op.create_table(
        "vouchers",
        sa.Column("secret_hash", HASH, nullable=False),
        sa.Column("serial", NAME, nullable=False),
        sa.Column("expires", BIG, nullable=False),
        sa.Column("used", BIG),
        sa.Column("used_by", HASH),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_vouchers"),
        _of_device("vouchers"),
    )
    op.create_index("ix_vouchers_serial", "vouchers", ["serial"])
    _make_certificates()


def _make_certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("fingerprint", HASH, nullable=False),
        sa.Column("serial", NAME, nullable=False),
        sa.Column("key", HASH, nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("issued", BIG, nullable=False),
        sa.Column("ends", BIG, nullable=False),
        sa.Column("revoked", BIG),
        sa.Column("why", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_certificates"),
        _of_device("certificates"),
    )
    op.create_index("ix_certificates_serial", "certificates", ["serial"])
    op.create_index("ix_certificates_key", "certificates", ["key"])


def _of_device(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_serial_devices"
    return sa.ForeignKeyConstraint(["serial"], ["devices.serial"], name=name)

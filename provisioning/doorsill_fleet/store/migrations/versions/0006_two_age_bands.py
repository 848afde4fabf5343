"""Two age bands in place of four: young adult, adult and older are adult."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the three up, then drop two of them."""
    op.execute(
        "UPDATE attributes SET age_adult = age_young_adult + age_adult + age_older"
    )
    op.drop_column("attributes", "age_young_adult")
    op.drop_column("attributes", "age_older")

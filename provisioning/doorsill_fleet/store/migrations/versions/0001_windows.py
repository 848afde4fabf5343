"""Windows, attributes, what is of the moment, senders, quarantine, deletions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME, LONG, WORDS, TEXT = sa.String(16), sa.String(32), sa.String(200), sa.String(1024)
BIG, SMALL = sa.BigInteger(), sa.SmallInteger()


def _column(
    name: str, kind: sa.types.TypeEngine[Any], *, null: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def _all(
    kind: sa.types.TypeEngine[Any], *names: str, null: bool = False
) -> list[sa.Column[Any]]:
    return [_column(name, kind, null=null) for name in names]


def _who() -> list[sa.Column[Any]]:
    return _all(NAME, "site", "device")


def _span() -> list[sa.Column[Any]]:
    return [
        *_who(),
        _column("place", SMALL),
        *_all(BIG, "start", "end"),
        _column("is_historical", sa.Boolean()),
        _column("doubt", sa.String(8)),
        _column("received", BIG),
        _column("firmware", NAME),
        *_all(LONG, "model", "policy"),
    ]


def _window() -> list[sa.Column[Any]]:
    watched = [_column("coverage_s", SMALL), _column("quality", WORDS)]
    return [*_span(), _column("epoch", BIG), *watched]


def _key(table: str, *names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("site", "device", *names, name=f"pk_{table}")


def _numbered(table: str, *columns: sa.Column[Any]) -> None:
    number = sa.Column("number", sa.Integer(), autoincrement=True, nullable=False)
    key = sa.PrimaryKeyConstraint("number", name=f"pk_{table}")
    op.create_table(table, number, *columns, key)


def upgrade() -> None:
    _create_windows()
    _create_attributes()
    _create_latest()
    _create_lists()


def _create_windows() -> None:
    op.create_table(
        "line_windows",
        *_window(),
        *_all(sa.Integer(), "count_in", "count_out"),
        *_all(BIG, "total_in", "total_out"),
        _key("line_windows", "place", "start", "epoch"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zone_windows",
        *_window(),
        _column("visits", sa.Integer()),
        _column("dwell_s", BIG, null=True),
        *_all(sa.Integer(), "occupancy_max", "occupancy_mean_milli", null=True),
        _key("zone_windows", "place", "start", "epoch"),
        sqlite_with_rowid=False,
    )


def _create_attributes() -> None:
    ages = ("child", "young_adult", "adult", "older", "unknown")
    expressions = ("feminine", "masculine", "unknown")
    op.create_table(
        "attributes",
        *_span(),
        _column("people", BIG),
        *_all(sa.Integer(), *(f"age_{each}" for each in ages)),
        *_all(sa.Integer(), *(f"expression_{each}" for each in expressions)),
        _column("k", SMALL),
        _column("epsilon_micro", sa.Integer()),
        _key("attributes", "place", "start", "end"),
    )


def _create_latest() -> None:
    op.create_table(
        "latest",
        *_who(),
        _column("stream", NAME),
        *_all(BIG, "time", "received"),
        _column("payload", sa.String(4096)),
        _key("latest", "stream"),
    )
    counts = ("heard", "newest", "kept", "repeated", "refused")
    op.create_table("senders", *_who(), *_all(BIG, *counts), _key("senders"))


def _create_lists() -> None:
    _numbered(
        "quarantine",
        _column("received", BIG),
        *_who(),
        _column("topic", TEXT),
        _column("why", WORDS),
        _column("size", BIG),
        _column("sha256", sa.String(64)),
        _column("text", TEXT, null=True),
    )
    _numbered(
        "deletions",
        _column("deleted", BIG),
        _column("name", LONG),
        *_who(),
        *_all(BIG, "before", "rows", "oldest", "newest"),
    )

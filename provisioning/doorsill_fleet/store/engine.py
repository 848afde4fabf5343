"""Open a database by its URL; what one kind of database alone needs stands here.

    sqlite:////var/lib/doorsill/store.db       a file: WAL, every commit on the disk
    postgresql+psycopg://office@host/doorsill  its tables fit; not tried yet

A commit is on the disk when it returns: SQLite's ``synchronous`` is FULL, and
PostgreSQL does so by itself.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from doorsill.errors import ConfigError, UplinkError

BUSY_S = 5.0  # wait for another writer of a SQLite file
AGAIN_S = 0.01  # between two tries to change a new file to WAL
_KINDS = ("sqlite", "postgresql")
_WRITES = "doorsill_writes"  # option of a connection that takes the write lock at once


def url_of(text: str) -> URL:
    """``text`` as a URL; a plain path is a SQLite file. else ConfigError."""
    try:
        url = make_url(text if "://" in text else f"sqlite:///{text}")
    except ArgumentError:
        raise ConfigError(f"--store {text[:80]!r} is no path and no URL") from None
    kind = url.get_backend_name()
    if kind not in _KINDS:
        known = " or ".join(_KINDS)
        raise ConfigError(f"a store is {known}, by its URL; {kind[:40]!r} is neither")
    return url


def open_engine(url: URL) -> Engine:
    """An engine for ``url``; nothing is connected yet."""
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url)
    try:
        return create_engine(url, pool_pre_ping=True)
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"no driver for {url.drivername} is installed: {error}; a store is a "
            "SQLite file today, and nobody has tried PostgreSQL yet"
        ) from None


def insert(engine: Engine, table: Table) -> Any:
    """An INSERT that can say what to do with a key that is there already."""
    # Imported here: PostgreSQL's alone is a tenth of what each program takes to start.
    dialect = importlib.import_module(f"sqlalchemy.dialects.{engine.dialect.name}")
    return dialect.insert(table)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction, all or nothing; UplinkError in a sentence if the disk fails."""
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection
    except SQLAlchemyError as error:
        raise UplinkError(f"the store {shown(engine)} {_why(error)}") from None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One state of the store, also while others write; UplinkError as above."""
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        raise UplinkError(f"the store {shown(engine)} {_why(error)}") from None


def shown(engine: Engine) -> str:
    """The store's name for a person, without a password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


def _why(error: SQLAlchemyError) -> str:
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    first = (said.splitlines() or ["no word"])[0]
    if "full" in first:
        return f"takes no data: {first}; free some space"
    if "locked" in first:
        return f"takes no data: another program writes to it for {BUSY_S:g} s: {first}"
    if "no such table" in first or "no such column" in first:
        return f"has no tables of this version: {first}"
    return f"takes no data: {first}"


def _open_sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    if not path.name or not path.parent.is_dir():
        raise ConfigError(
            f"{path} cannot be written: there is no folder {path.parent}"
            if path.name
            else "a store of SQLite needs a file: sqlite:////var/lib/doorsill/store.db"
        )
    engine = create_engine(url, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    # Python's own driver begins no transaction before DDL; we begin each by ourselves.
    connection.isolation_level = None
    _use_wal(connection)
    for each in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {each}")


def _use_wal(connection: Any) -> None:
    """Two that open a new file at once: here SQLite does not wait for the other."""
    ends = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except OperationalError:
            if time.monotonic() > ends:
                raise
        time.sleep(AGAIN_S)


def _begin(connection: Connection) -> None:
    """A writer takes its lock at once, so that it cannot fail half-way for a reader."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

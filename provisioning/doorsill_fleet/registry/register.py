"""The register in the office's database: one transaction at a time, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from doorsill.errors import ConfigError
from doorsill_fleet.store.engine import open_engine, writing
from doorsill_fleet.store.migrate import upgrade

FILE = "store.db"  # in the folder of the chain


def open_register(folder: Path) -> Engine:
    """The register of the chain in ``folder``, made if it is not there.

    Raises ConfigError or UplinkError where it cannot be opened.
    """
    path = folder.absolute() / FILE
    engine = open_engine(URL.create("sqlite", database=str(path)))
    _make_private(path)
    upgrade(engine)
    return engine


def _make_private(path: Path) -> None:
    """Before anything is in it: SQLite gives its other files the mode of this one."""
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction, undone if an error leaves it; UplinkError: the disk, the lock.

    A second one waits for the first, so what one of them read stays true.
    """
    with writing(engine) as connection, Session(connection) as session:
        yield session
        session.flush()

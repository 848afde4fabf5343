"""The register in the office's database: one transaction at a time, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from doorsill_fleet.store.engine import open_engine, writing
from doorsill_fleet.store.migrate import upgrade

FILE = "store.db"  # in the folder of the chain


def open_register(folder: Path) -> Engine:
    """The register of the chain in ``folder``, made if it is not there.

    Raises ConfigError or UplinkError where it cannot be opened.
    """
    path = folder.absolute() / FILE
    engine = open_engine(URL.create("sqlite", database=str(path)))
    upgrade(engine)
    path.chmod(0o600)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction, undone if an error leaves it; UplinkError: the disk, the lock.

    A second one waits for the first, so what one of them read stays true.
    """
    with writing(engine) as connection, Session(connection) as session:
        yield session
        session.flush()

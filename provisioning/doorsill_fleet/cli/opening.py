"""The chain and its register, opened for one transaction of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.orm import Session

from doorsill_fleet.office.chain import Chain, open_chain
from doorsill_fleet.registry.register import open_register, transaction


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Chain, Session]]:
    """The chain in ``folder``, and a session: all of it is kept at the end, or none."""
    chain = open_chain(folder)
    register = open_register(folder)
    try:
        with transaction(register) as session:
            yield chain, session
    finally:
        register.dispose()

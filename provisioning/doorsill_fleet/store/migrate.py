"""Bring a store's tables to this version's, in one transaction: all steps or none.

A step that is interrupted leaves the tables and rows as they were. A store of a newer
doorsill is refused, for we could not say what its rows mean.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from doorsill.errors import ConfigError
from doorsill_fleet.store.engine import reading, shown, writing
from doorsill_fleet.store.older import set_aside, take_over

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

# Alembic reports its own set-up, already as it is loaded, to whom asked for a count.
logging.getLogger("alembic").setLevel(logging.WARNING)
STEPS = Path(__file__).with_name("migrations")


def upgrade(engine: Engine, site: str = "") -> None:
    """Take all steps that are missing; or none: UplinkError, ConfigError.

    ``site`` is that of a file which an older doorsill kept for one shop alone.
    """
    from alembic import command  # after its logger is quiet
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_configuration())
    newest = script.get_current_head()
    with reading(engine) as connection:
        known = MigrationContext.configure(connection).get_current_revision()
    if known == newest:
        return
    if known is not None:
        _require_known(engine, script, known)
    with writing(engine) as connection:
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        older = set_aside(connection)
        command.upgrade(configuration, "head")
        take_over(connection, older, site)


def _require_known(engine: Engine, script: ScriptDirectory, known: str) -> None:
    from alembic.util.exc import CommandError

    try:
        script.get_revision(known)
    except CommandError:
        raise ConfigError(
            f"the store {shown(engine)} is of a newer doorsill (its step is "
            f"{known[:40]}); nothing was changed; install that doorsill here"
        ) from None


def _configuration() -> Config:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(STEPS))
    configuration.set_main_option("path_separator", "os")
    return configuration

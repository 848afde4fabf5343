"""The store's tables move in steps: all of them or none, and never back."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from limits import END_S, PROGRAM_S
from sqlalchemy import Engine, event, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

import doorsill_fleet.registry.tables  # noqa: F401 - whose tables are the store's too
from doorsill.errors import ConfigError, UplinkError
from doorsill_fleet.store.engine import open_engine, reading, url_of, writing
from doorsill_fleet.store.migrate import STEPS, upgrade
from doorsill_fleet.store.schema import Base

# A child that is killed with the n-th statement that makes a table.
KILLED = """
import os, signal, sys
from sqlalchemy import event
from doorsill_fleet.store.engine import open_engine, url_of
from doorsill_fleet.store.migrate import upgrade
engine = open_engine(url_of(sys.argv[1]))
left = [int(sys.argv[2])]
@event.listens_for(engine, "after_cursor_execute")
def executed(connection, cursor, statement, *_):
    left[0] -= "CREATE TABLE" in statement
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
upgrade(engine)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(url_of(str(tmp_path / "store.db")))
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_the_steps_make_what_the_schema_says(engine: Engine) -> None:
    upgrade(engine)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_a_second_time_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    upgrade(engine)
    assert not [each for each in statements if "CREATE" in each or "INSERT" in each]


@pytest.mark.parametrize("at", [1, 2, 4, 8])
def test_killed_on_its_way_it_leaves_what_was_there(engine: Engine, at: int) -> None:
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE before (said TEXT)"))
        connection.execute(text("INSERT INTO before VALUES ('here')"))
    words = [sys.executable, "-c", KILLED, str(engine.url.database), str(at)]
    done = subprocess.run(words, timeout=PROGRAM_S, check=False)
    assert done.returncode == -signal.SIGKILL
    assert tables(engine) == {"before"}
    upgrade(engine)
    assert tables(engine) >= {"before", *Base.metadata.tables}
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT said FROM before")) == "here"


def test_a_disk_that_is_full_leaves_what_was_there_and_a_sentence(
    engine: Engine,
) -> None:
    event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA max_page_count = 5"))
    with pytest.raises(UplinkError, match=r"store\.db takes no data: .*full"):
        upgrade(engine)
    assert tables(engine) == set()


def test_two_at_once_make_the_tables_once(engine: Engine) -> None:
    faults: list[Exception] = []

    def run() -> None:
        own = open_engine(engine.url)
        try:
            upgrade(own)
        except Exception as error:
            faults.append(error)
        own.dispose()

    both = [Thread(target=run) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(END_S)
    assert faults == [] and tables(engine) >= set(Base.metadata.tables)


def test_a_store_of_a_newer_doorsill_is_refused_and_named(engine: Engine) -> None:
    upgrade(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"of a newer doorsill \(its step is 9999\)"):
        upgrade(engine)


FOUR_BANDS = """INSERT INTO attributes (site, device, place, start, "end",
    is_historical, doubt, received, firmware, model, policy, people, age_child,
    age_young_adult, age_adult, age_older, age_unknown, expression_feminine,
    expression_masculine, expression_unknown, k, epsilon_micro)
    VALUES ('s', 'd', 0, :start, 9, 0, '', 9, '', '', '', 40, -2, 11, 21, 4, 6, 1, 2,
    3, 10, 5)"""


def test_four_age_bands_become_two_and_every_row_survives(engine: Engine) -> None:
    with writing(engine) as connection:
        configuration = Config()
        configuration.set_main_option("script_location", str(STEPS))
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0005")
        for start in range(3):
            connection.execute(text(FOUR_BANDS), {"start": start})
    upgrade(engine)
    query = "SELECT start, age_child, age_adult, age_unknown, k FROM attributes"
    with reading(engine) as connection:
        rows = [tuple(row) for row in connection.execute(text(query))]
    assert rows == [(start, -2, 36, 6, 10) for start in range(3)]


def test_the_step_to_two_age_bands_is_sql_that_postgresql_has() -> None:
    configuration, said = Config(), io.StringIO()
    configuration.set_main_option("script_location", str(STEPS))
    step = ScriptDirectory.from_config(configuration).get_revision("0006")
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": said}
    )
    with Operations.context(context):
        step.module.upgrade()
    assert said.getvalue().split(";")[1].strip() == (
        "ALTER TABLE attributes DROP COLUMN age_young_adult"
    )


def test_every_table_can_be_made_in_postgresql() -> None:
    for table in Base.metadata.tables.values():
        assert str(CreateTable(table).compile(dialect=postgresql.dialect()))

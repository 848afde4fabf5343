"""A store is named by a path or a URL, and what is wrong with it is a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from doorsill.errors import ConfigError, UplinkError
from doorsill_fleet.store import engine as module
from doorsill_fleet.store.engine import open_engine, reading, shown, url_of, writing

Opens = Callable[[Path], Engine]


@pytest.fixture
def opened() -> Iterator[Opens]:
    """Opens a file; it is closed at the end."""
    with ExitStack() as exits:

        def open_(path: Path) -> Engine:
            engine = open_engine(url_of(str(path)))
            exits.callback(engine.dispose)
            return engine

        yield open_


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param("mysql://a/b", "'mysql' is neither", id="another database"),
        pytest.param("://", "is no path and no URL", id="no URL"),
        pytest.param("sqlite://", "needs a file", id="in memory"),
        pytest.param("no/where.db", "there is no folder no", id="no folder"),
        pytest.param("postgresql://a:b@h/d", "no driver for postgresql", id="driver"),
    ],
)
def test_a_store_that_cannot_be_is_named(said: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_engine(url_of(said))


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path, opened: Opens) -> None:
    engine = opened(tmp_path / "a.db")
    with reading(engine) as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"


def test_what_raises_on_the_way_writes_nothing(tmp_path: Path, opened: Opens) -> None:
    engine = opened(tmp_path / "a.db")
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        connection.execute(text("CREATE TABLE made (n INTEGER)"))
        raise ZeroDivisionError
    no_table = pytest.raises(UplinkError, match="no tables of this version")
    with no_table, reading(engine) as connection:
        connection.execute(text("SELECT * FROM made"))


def test_another_writer_is_waited_for_and_then_named(
    tmp_path: Path, opened: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.01)
    path = tmp_path / "a.db"
    engine = opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UplinkError, match="another program writes"), writing(engine):
        pass
    other.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path, opened: Opens) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"\xff\xd8 a picture" * 99)
    engine = opened(path)
    no_store = pytest.raises(UplinkError, match=r"a\.db .*not a database")
    with no_store, reading(engine):
        pass


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = url_of("postgresql+psycopg://office:geheim@host/doorsill")

    class Named:
        def __init__(self) -> None:
            self.url = url

    assert "geheim" not in shown(Named())  # type: ignore[arg-type]

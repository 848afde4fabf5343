"""Nothing finer than child and adult is told, kept or given away, anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, make_dataclass
from enum import IntEnum
from pathlib import Path

import pytest
from sqlalchemy import inspect

import doorsill_fleet.registry.tables  # noqa: F401 - whose tables are the store's too
from doorsill import cells
from doorsill.cells import Age, LooksCell
from doorsill.channels.cell_link import Received, pack
from doorsill.errors import UplinkError
from doorsill.models.manifest import load_manifest, manifests
from doorsill.models.said import BANDS
from doorsill.values import Attributes as Looks
from doorsill.wire import codec
from doorsill.wire.messages import KINDS
from doorsill.wire.rules import fields_of
from doorsill_fleet.store.csv import COLUMNS
from doorsill_fleet.store.engine import open_engine, url_of
from doorsill_fleet.store.export import COUNTS, LOOKS
from doorsill_fleet.store.migrate import upgrade
from doorsill_fleet.store.schema import Base

TOLD = {"child", "adult", "unknown"}
PREFIX = "age_"
FINER = ("young", "older", "elder", "senior", "teen", "baby", "infant")


def bands(names: Iterable[str]) -> set[str]:
    """The age bands that these names speak of."""
    told = {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}
    return told | {name for name in names if any(word in name for word in FINER)}


def words(kind: type[IntEnum]) -> list[str]:
    return [f"{PREFIX}{each.name.lower()}" for each in kind]


def shape_of_messages() -> list[str]:
    kinds = [kind for each in KINDS.values() for kind in each]
    return [name for kind in kinds for _, name, _ in fields_of(kind)]


def shape_of_schema() -> list[str]:
    text = Path(codec.__file__).with_name("schema.json").read_text()
    tables = json.loads(text)["$defs"].values()
    return [name for each in tables for name in each["properties"]]


def columns_of_tables() -> list[str]:
    tables = Base.metadata.tables.values()
    return [column.name for each in tables for column in each.columns]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(words(Age), id="cells"),
        pytest.param(shape_of_messages(), id="messages"),
        pytest.param(shape_of_schema(), id="schema.json"),
        pytest.param(columns_of_tables(), id="store"),
        pytest.param([each for row in COLUMNS.values() for each in row], id="csv"),
        pytest.param([*COUNTS, *LOOKS], id="export"),
        pytest.param([PREFIX + each for each in (*BANDS["age"], "unknown")], id="said"),
    ],
)
def test_nothing_finer_than_child_and_adult_has_a_place(names: list[str]) -> None:
    assert bands(names) == TOLD


def test_a_store_that_was_brought_up_to_date_keeps_nothing_finer(
    tmp_path: Path,
) -> None:
    engine = open_engine(url_of(str(tmp_path / "store.db")))
    upgrade(engine)
    found = inspect(engine)
    tables = found.get_table_names()
    names = [each["name"] for name in tables for each in found.get_columns(name)]
    engine.dispose()
    assert bands(names) == TOLD


def test_no_cell_but_looks_has_an_age_and_that_one_has_two_and_unknown() -> None:
    kinds = [each for each in vars(cells).values() if isinstance(each, type)]
    named = [k for k in kinds if k.__name__.endswith("Cell") and k is not LooksCell]
    assert len(named) == 3
    assert not [f.name for k in named for f in fields(k) if f.name.startswith("age")]
    pack(Received(1, 1, LooksCell(0, 0, 1, (0,) * len(TOLD), (0, 0, 0))))
    with pytest.raises(UplinkError, match="does not fit"):
        pack(Received(1, 1, LooksCell(0, 0, 1, (0,) * 5, (0, 0, 0))))
    assert Looks.__annotations__["age"] == "Age"


def test_each_model_that_ships_answers_with_the_two() -> None:
    outputs = [o for path in manifests() for o in load_manifest(path).outputs]
    ages = [each.bands for each in outputs if each.name == "age"]
    assert ages and all(set(each) == TOLD - {"unknown"} for each in ages)


class FourBands(IntEnum):
    """Age, as it was."""

    CHILD = 0
    YOUNG_ADULT = 1
    ADULT = 2
    OLDER = 3
    UNKNOWN = 4


@dataclass
class Finer:
    """A message with one field too many."""

    age_child: int
    age_adult: int
    age_unknown: int
    age_teen: int


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(words(FourBands), id="four bands"),
        pytest.param([each.name for each in fields(Finer)], id="a field"),
        pytest.param(
            [f.name for f in fields(make_dataclass("Row", ["count_of_older"]))],
            id="another name",
        ),
        pytest.param(["age_child", "age_unknown"], id="one too few"),
    ],
)
def test_negative_control_what_is_finer_is_found(names: list[str]) -> None:
    assert bands(names) != TOLD

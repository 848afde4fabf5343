"""One strict reader of tables: what is wrong is named, and all of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from doorsill.documents.fields import Fields, place_text, split_place
from doorsill.documents.sections import option, read_section


@dataclass(frozen=True, slots=True)
class Door:
    """A section with an option of each kind."""

    name: str = option(pattern="[a-z]{1,8}")
    side: str = option("left", choices=("left", "right"))
    width: float = option(1.0, least=0.5, most=4.0)
    panes: int = option(2, least=1, most=6)
    glass: bool = option(True)
    plan: Path = option(Path("/plans/door"))
    key: Path | None = option(None)


def read(table: Any) -> tuple[Any, list[str]]:
    given = Fields("door", table, [])
    return read_section(given, Door, Path("/shop")), given.problems


def test_what_is_given_is_read_and_the_rest_has_its_default() -> None:
    found, problems = read({"name": "main", "width": 2, "key": "k.pem"})
    assert problems == []
    assert found == Door("main", width=2.0, key=Path("/shop/k.pem"))
    assert type(found.width) is float and found.plan == Path("/plans/door")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"panes": 9}, "door.panes = 9 is above the maximum of 6", id="9"),
        pytest.param({"panes": 0}, "door.panes = 0 is below the minimum of 1", id="0"),
        pytest.param(
            {"panes": True}, "door.panes = True; it must be a whole number", id="true"
        ),
        pytest.param({"width": "2"}, "= '2'; it must be a number", id="a text"),
        pytest.param(
            {"width": float("nan")}, "nan is below the minimum of 0.5", id="no number"
        ),
        pytest.param({"glass": 1}, "= 1; it must be true or false", id="one for true"),
        pytest.param({"side": "top"}, "= 'top' is none of left, right", id="no choice"),
        pytest.param({"side": 3}, "door.side = 3; it must be a text", id="no text"),
        pytest.param({"name": "Main"}, "= 'Main' does not match [a-z]", id="pattern"),
        pytest.param({"key": 7}, "door.key = 7; it must be a text", id="no path"),
        pytest.param(
            {"glas": True}, "door.glas is not an option; did you mean glass?", id="slip"
        ),
        pytest.param({"zzz": 1}, "known: name, side, width, panes", id="unknown"),
        pytest.param({"name": "x" * 99}, "door.name = 'xxx", id="cut where it is long"),
    ],
)
def test_a_problem_has_section_name_value_and_bound(
    change: dict[str, Any], says: str
) -> None:
    found, problems = read({"name": "main"} | change)
    assert found is None
    (problem,) = problems
    assert says in problem and len(problem) < 160


def test_all_problems_are_noted_at_once() -> None:
    found, problems = read({"panes": 9, "glass": "yes", "lock": 1})
    assert found is None
    assert [each.split()[0] for each in problems] == [
        "door.name",
        "door.panes",
        "door.glass",
        "door.lock",
    ]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        pytest.param(None, "door is missing; it must be a table", id="missing"),
        pytest.param([], "door = []; it must be a table", id="a list"),
        pytest.param("left", "door = 'left'; it must be a table", id="a text"),
    ],
)
def test_what_is_no_table_is_one_problem(table: object, says: str) -> None:
    assert read(table) == (None, [says])


@pytest.mark.parametrize(
    ("text", "usual", "place"),
    [
        pytest.param("shop:8443", 0, ("shop", 8443), id="both"),
        pytest.param("shop", 8883, ("shop", 8883), id="the usual port"),
        pytest.param("[2001:db8::1]:443", 0, ("2001:db8::1", 443), id="IPv6"),
        pytest.param("[::1]", 8883, ("::1", 8883), id="IPv6 alone"),
        pytest.param("shop", 0, None, id="no port"),
        pytest.param("shop:0", 8883, None, id="port 0"),
        pytest.param("shop:65536", 8883, None, id="no such port"),
        pytest.param("shop:\u0661", 8883, None, id="digits of another script"),
        pytest.param("2001:db8::1:443", 0, None, id="IPv6 without brackets"),
        pytest.param("", 8883, None, id="nothing"),
    ],
)
def test_a_place_is_a_host_and_a_port(
    text: str, usual: int, place: tuple[str, int] | None
) -> None:
    assert split_place(text, usual) == place
    if place is not None:
        assert split_place(place_text(*place)) == place

"""Who is who: pair tracks with detections at the least total cost.

The shortest augmenting path method (Jonker and Volgenant 1987), started from each
row's cheapest column. In a door's picture that start is nearly always the answer. A row
has only the two or three columns within its reach, and few rows compete for the same
column, so the search runs in plain Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

Candidates = Sequence[tuple[float, int]]  # one row's: the cost and the column of each


def pair(candidates: Sequence[Candidates], limit: float) -> list[int]:
    """The column of each row, or -1, with the least total cost.

    Each candidate costs less than ``limit``, which is the cost of a row that gets none.
    """
    best = [min(row)[1] if row else -1 for row in candidates]
    taken = [column for column in best if column >= 0]
    if len(set(taken)) == len(taken):
        return best
    return [column if column >= 0 else -1 for column in _augment(candidates, limit)]


@dataclass(slots=True)
class _Pairs:
    """The pairs so far, and the price that each row and each column has by now."""

    row_of: dict[int, int] = field(default_factory=dict)  # row that holds a column
    column_of: dict[int, int] = field(default_factory=dict)  # column that a row holds
    row_price: list[float] = field(default_factory=list)
    column_price: dict[int, float] = field(default_factory=dict)


def _augment(candidates: Sequence[Candidates], limit: float) -> list[int]:
    """The optimal column of each row; a negative one is the row's own, at the limit."""
    options = [[*each, (limit, -1 - row)] for row, each in enumerate(candidates)]
    pairs = _Pairs()
    for row, option in enumerate(options):
        price, column = min(option)
        pairs.row_price.append(price)
        if column not in pairs.row_of:
            pairs.row_of[column], pairs.column_of[row] = row, column
    for row in range(len(options)):
        if row not in pairs.column_of:
            _search(options, row, pairs)
    return [pairs.column_of[row] for row in range(len(options))]


def _search(options: Sequence[Candidates], start: int, pairs: _Pairs) -> None:
    """Find the cheapest path from row ``start`` to a free column (Dijkstra)."""
    row_price, column_price = pairs.row_price, pairs.column_price
    nearest: dict[int, float] = {}  # columns that can be reached, and their distance
    came_from: dict[int, int] = {}
    done: dict[int, float] = {}
    row, so_far = start, 0.0
    while True:
        begin = so_far - row_price[row]
        for cost, column in options[row]:
            distance = begin + cost - column_price.get(column, 0.0)
            if column not in done and distance < nearest.get(column, inf):
                nearest[column], came_from[column] = distance, row
        column = min(nearest, key=nearest.__getitem__)
        so_far = nearest.pop(column)
        if column not in pairs.row_of:
            break
        done[column] = so_far
        row = pairs.row_of[column]
    row_price[start] += so_far
    for each, at in done.items():
        row_price[pairs.row_of[each]] += so_far - at
        column_price[each] = column_price.get(each, 0.0) - (so_far - at)
    _flip(pairs, came_from, start, column)


def _flip(pairs: _Pairs, came_from: dict[int, int], start: int, column: int) -> None:
    """Along the path back from ``column``, give each column to the row before it."""
    while True:
        row = came_from[column]
        pairs.row_of[column] = row
        if row == start:
            pairs.column_of[row] = column
            return
        pairs.column_of[row], column = column, pairs.column_of[row]

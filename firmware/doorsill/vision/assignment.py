"""Who is who: pair tracks with detections at the least total cost.

The shortest augmenting path method (Jonker and Volgenant 1987), started from each
row's cheapest column. In a door's picture that start is nearly always the answer, so
the search runs for the few rows that want the same column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


def assign(cost: Array, limit: float) -> tuple[Rows, Rows]:
    """Rows and columns of the pairs with the least total cost.

    ``cost`` is (n, m); a pair that costs ``limit`` or more is left unmade, as is one
    whose price is more than the ``limit`` that leaving a row alone costs.
    """
    if cost.shape[0] > cost.shape[1]:
        columns, rows = assign(cost.T, limit)
        return rows, columns
    best = cost.argmin(axis=1)
    price = cost[np.arange(len(best)), best]
    if len(best) > 1 and (price < limit).any():
        wanted = best[price < limit]
        if np.bincount(wanted).max() > 1:
            best = _augment(np.minimum(cost, limit), best)
            price = cost[np.arange(len(best)), best]
    rows = np.flatnonzero(price < limit)
    return rows, best[rows]


def _augment(cost: Array, best: Rows) -> Rows:
    """The optimal column of each row, from each row's cheapest column."""
    rows, columns = cost.shape
    holds = [-1] * columns  # row that holds a column
    has = [-1] * rows  # column that a row has
    for row, column in enumerate(best.tolist()):
        if holds[column] < 0:
            holds[column], has[row] = row, column
    row_price = cost.min(axis=1)
    column_price = np.zeros(columns)
    for row in range(rows):
        if has[row] < 0:
            _search(cost, row, holds, has, (row_price, column_price))
    return np.array(has, np.intp)


def _search(
    cost: Array,
    start: int,
    holds: list[int],
    has: list[int],
    prices: tuple[Array, Array],
) -> None:
    """Dijkstra from row ``start`` to a free column, then flip the path."""
    row_price, column_price = prices
    columns = len(holds)
    nearest = np.full(columns, np.inf)
    came_from = np.full(columns, -1)
    open_ = np.ones(columns, np.bool_)
    done: list[int] = []
    row, column, so_far = start, -1, 0.0
    while True:
        reach = so_far + cost[row] - row_price[row] - column_price
        better = open_ & (reach < nearest)
        nearest[better] = reach[better]
        came_from[better] = row
        column = int(np.where(open_, nearest, np.inf).argmin())
        so_far = float(nearest[column])
        open_[column] = False
        if holds[column] < 0:
            break
        done.append(column)
        row = holds[column]
    row_price[start] += so_far
    for each in done:
        row_price[holds[each]] += so_far - nearest[each]
        column_price[each] -= so_far - nearest[each]
    while True:
        row = int(came_from[column])
        holds[column] = row
        has[row], column = column, has[row]
        if row == start:
            return

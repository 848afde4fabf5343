"""What a file that is no detector looks like, for somebody who took the wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod


def look_of(shapes: Sequence[tuple[int, ...]]) -> str:
    """What outputs of these shapes look like, in words for the user."""
    deep = [shape for shape in shapes if len(shape) == 4 and min(shape[1:3]) >= 8]
    if deep and {shape[3] for shape in deep} == {1, 10}:
        return "as our own detectors do: name the manifest (.toml) beside it"
    if deep:
        return (
            "a map of the picture, as models for segmentation, poses or depth give it;"
            " a detector gives boxes, n x 4, with classes and scores"
        )
    tables = [shape for shape in shapes if len(shape) == 3]
    if any(shape[2] in (12, 16, 18) and shape[1] > 100 for shape in tables):
        return "boxes with key points, as models for faces, hands and poses give them"
    if len(shapes) == 1 and tables and max(tables[0]) >= 100 and min(tables[0][1:]) > 4:
        return (
            "all in one table, as YOLO gives it, which is not read here; export an SSD,"
            " or boxes and scores apart"
        )
    if len(shapes) == 1 and prod(shapes[0]) == max(shapes[0], default=0) > 1:
        return (
            f"one row of {max(shapes[0])} numbers, as a model that names whole pictures"
            " gives it (classification); a detector gives boxes, n x 4, with classes"
            " and scores"
        )
    return "a detector gives boxes, n x 4, with classes and scores, n each"

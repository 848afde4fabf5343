"""The tables of the attributes card from its numbers.

``python -m doorsill_train.judge.tables --models FOLDER``

Reads ``eval/attributes.json`` and ``eval/shares.json`` and prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from doorsill.models.said import BANDS
from doorsill_train.judge.calibration import CONFUSION, OTHER_HALF
from doorsill_train.shipped import MODELS


def table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def per_cent(share: float) -> str:
    return f"{100 * share:.0f} %"


def accuracies(report: dict[str, dict[str, Any]]) -> str:
    """As the product answers, and what one crop alone would give."""
    rows = []
    for name, found in report.items():
        once = found["one_crop_alone"]
        for seen, numbers in (("a walk", found), ("one crop", once)):
            known, unknown = numbers["accuracy"], per_cent(numbers["unknown"])
            every = numbers["accuracy_without_unknown"]
            error = f"{numbers['calibration_error']:.3f}"
            both = f"{numbers['each']['balanced']:.3f}"
            rows.append([f"{name}, {seen}", known, unknown, both, every, error])
    titles = ["", "right among the known", "unknown", "balanced", "right of all"]
    return table([*titles, "calibration"], rows)


def of_each(report: dict[str, dict[str, Any]]) -> str:
    """Of each band: how many of its people are found, and how often it is right."""
    rows = []
    for name, found in report.items():
        numbers = zip(
            BANDS[name],
            found[CONFUSION],
            found["each"]["recall"],
            found["each"]["precision"],
            strict=True,
        )
        for band, row, recall, precision in numbers:
            unknown = per_cent(row[-1] / max(sum(row), 1))
            rows.append([f"{name}: {band}", recall, unknown, precision])
    return table(["", "told so, of the known", "unknown", "right when told"], rows)


def confusions(name: str, found: dict[str, Any]) -> str:
    """Test half / calibrating half, for each truth and answer."""
    labels = list(BANDS[name])
    pairs = zip(found[CONFUSION], found[OTHER_HALF], strict=True)
    rows = [
        [label, *(f"{a} / {b}" for a, b in zip(mine, theirs, strict=True))]
        for label, (mine, theirs) in zip(labels, pairs, strict=True)
    ]
    return table([name, *labels, "unknown"], rows)


def groups(report: dict[str, dict[str, Any]]) -> str:
    """Right among the known, and unknown, of each group and condition."""
    names = list(next(iter(report.values()))["groups"])
    rows = []
    for group in names:
        cells = [found["groups"][group] for found in report.values()]
        rows.append([group, *(_shorter(cell) for cell in cells)])
    return table(["", *report], rows)


def _shorter(cell: str) -> str:
    """``..., unknown 0.155`` -> ``..., 16 %``."""
    return re.sub(r"unknown ([\d.]+)", lambda m: per_cent(float(m[1])), cell)


def shares(report: dict[str, dict[str, Any]]) -> str:
    kinds = ("right", "redrawn", "published")
    rows = []
    for name, mixes in report.items():
        for mix, found in mixes.items():
            cells = [
                f"{found[f'{kind}_bias_points']}, {found[f'{kind}_intervals_hold']} %"
                for kind in kinds
            ]
            off = f"{found['offset_points']}, {found['offset_of_both_points']}"
            rows.append([f"{name} {mix}", *cells, off])
    return table(["true mix", *kinds, "offset, of both"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS)
    folder = parser.parse_args().models / "eval"
    report = json.loads((folder / "attributes.json").read_text())
    print(accuracies(report))
    print(of_each(report))
    for name, found in report.items():
        print(confusions(name, found))
    print(groups(report))
    for name, found in report.items():
        gaps = found["gap_skin_points"], found["gap_shape_points"]
        print(f"{name}: gap {gaps[0]} points between skins, {gaps[1]} between shapes")
    print(shares(json.loads((folder / "shares.json").read_text())))


if __name__ == "__main__":
    main()

"""Which number of another's detector stands for a person: by its labels, or by COCO."""

from __future__ import annotations

from doorsill.errors import ConfigError

# Labels of a person, the first that is there; and of no thing.
PERSON = (
    "person",
    "people",
    "pedestrian",
    "human",
    "persons",
    "pedestrians",
    "humans",
)
BACKGROUND = ("???", "background", "__background__", "none", "unlabeled", "n/a")
# Columns of raw scores and the one of people, where no label says it: one kind alone,
# TensorFlow's COCO with its gaps, COCO without, Pascal VOC; each with a background too.
COLUMNS = {1: 0, 2: 1, 90: 0, 91: 1, 80: 0, 81: 1, 20: 14, 21: 15}
WITH_BACKGROUND = (2, 91, 81, 21)  # of COLUMNS, those whose first is no thing


def person_class(labels: tuple[str, ...], columns: int = 0) -> tuple[int, str]:
    """The class of people among finished results, and words for how it is known.

    Such results have no background; ``columns`` of scores they were made of, 0 if that
    is not known. Raises ConfigError where no label is a person, or nothing says it.
    """
    if not labels and not columns:
        return 0, ""
    if not labels:
        return person_column((), columns)[0] - (columns in WITH_BACKGROUND), ""
    place = _label(labels)
    return place - (labels[0] in BACKGROUND), f", {labels[place]} by its labels"


def person_column(labels: tuple[str, ...], columns: int) -> tuple[int, str]:
    """The column of people among raw scores, and words for how it is known.

    Raises ConfigError where labels and columns do not fit, or nothing says it.
    """
    if labels:
        place = _label(labels)
        shift = columns - len(labels)
        if shift in (0, 1) or (shift == -1 and labels[0] in BACKGROUND):
            return place + shift, f", {labels[place]} by its labels"
        raise ConfigError(
            f"the model gives scores for {columns} kinds of things and has"
            f" {len(labels)} labels"
        )
    if columns in COLUMNS:
        return COLUMNS[columns], ""
    raise ConfigError(
        f"the model gives scores for {columns} kinds of things and no label says which"
        " of them is a person: write a manifest with person = N, counted from 0"
    )


def _label(labels: tuple[str, ...]) -> int:
    for word in PERSON:
        if word in labels:
            return labels.index(word)
    shown = ", ".join(label for label in labels[:8] if label)
    raise ConfigError(f"none of the model's {len(labels)} labels is a person: {shown}")

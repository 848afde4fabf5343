"""What a model file says about itself: TFLite metadata, and the labels packed behind.

MediaPipe's and Model Maker's files carry a second flatbuffer (``TFLITE_METADATA``):
how a pixel becomes a number, what each output is, and for raw detectors their anchors
(``DETECTOR_METADATA``). A zip behind the model holds the labels. All of it is optional,
and none of it is trusted: what cannot be read raises ConfigError.

Sources: mediapipe/tasks/metadata/metadata_schema.fbs and
object_detector_metadata_schema.fbs; tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doorsill.errors import ConfigError
from doorsill.models.flatbuffer import Table

METADATA = b"TFLITE_METADATA"  # name of the entry with the metadata
DETECTOR_METADATA = "DETECTOR_METADATA"  # name of the entry with anchors
LABELS_MAX_BYTES = 1 << 20  # of a label file that are read
MOST_LABELS = 10_000  # of a model
MOST_ANCHORS = 500_000  # of a model
BOX_FORMS = ("", "boundaries", "upper left", "centre")  # BoundingBoxType
IMAGE = 2  # of the union ContentProperties
BOX = 3  # of the union ContentProperties
NORMALISATION = 1  # of the union ProcessUnitOptions
NUMBERED = re.compile(r"(\d{1,5})\s*[\s:,]\s*(\S.*)")  # a label after its number


@dataclass(frozen=True, slots=True)
class Coding:
    """How raw boxes are written: relative to anchors, divided by ``scales``."""

    anchors: NDArray[np.float32]  # (n, 4) centre x, centre y, width, height in 0..1
    scales: tuple[float, float, float, float]  # of y, x, height, width
    exponential: bool = True
    sigmoid: bool | None = None  # whether scores are logits; None: not said


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says; empty where it says nothing."""

    mean: tuple[float, ...] = ()  # by channel: number = (pixel - mean) / deviation
    deviation: tuple[float, ...] = ()  # by channel
    size: tuple[int, int] | None = None  # of an open input: width, height, pixels
    outputs: tuple[str, ...] = ()  # the name of each output, in lower case
    labels: tuple[str, ...] = ()
    box_form: str = ""  # one of BOX_FORMS
    box_order: tuple[int, ...] = ()  # where x0, y0, x1, y1 (or as the form says) lie
    pixels: bool = False  # boxes are in pixels of the input
    coding: Coding | None = None


def read_stated(model: bytes) -> Stated:
    """What the bytes of a TFLite file say; raises ConfigError where it is damaged."""
    try:
        labels = _packed_labels(model)
        metadata = _metadata(model)
        if metadata is None:
            return Stated(labels=labels)
        graph = next(metadata.tables(3), None)
        return Stated(labels=labels) if graph is None else _graph(graph, labels)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"the model's metadata is damaged: {error}") from None


def _metadata(model: bytes) -> Table | None:
    root = Table.root(model)
    for entry in root.tables(6):
        if entry.raw(0) == METADATA:
            buffers = list(root.tables(4))
            number = int(entry.number(1, "I"))
            if number >= len(buffers):
                raise ValueError(f"it is in buffer {number} of {len(buffers)}")
            data = buffers[number].raw(0)
            return Table.root(data) if data else None
    return None


def _graph(graph: Table, labels: tuple[str, ...]) -> Stated:
    found: dict[str, Any] = {"labels": labels}
    for tensor in graph.tables(2):
        _input(tensor, found)
        break
    outputs = list(graph.tables(3))
    found["outputs"] = tuple(each.text(0).lower() for each in outputs)
    for each in outputs:
        _boxes(each, found)
    for each in graph.tables(9):
        if each.text(0) == DETECTOR_METADATA:
            found["coding"] = _coding(Table.root(each.raw(1)))
    return Stated(**found)


def _input(tensor: Table, found: dict[str, Any]) -> None:
    content = tensor.table(3)
    if content is not None and content.number(0, "B") == IMAGE:
        image = content.table(1)
        size = image.table(1) if image is not None else None
        if size is not None:
            found["size"] = int(size.number(0, "I")), int(size.number(1, "I"))
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.number(0, "B") != NORMALISATION or options is None:
            continue
        mean, deviation = options.numbers(0, "f"), options.numbers(1, "f")
        right = len(mean) in (1, 3) and len(deviation) in (1, 3)
        if not right or not np.isfinite([*mean, *deviation]).all() or 0 in deviation:
            raise ValueError(f"mean {mean} and deviation {deviation}")
        found["mean"], found["deviation"] = mean, deviation


def _boxes(tensor: Table, found: dict[str, Any]) -> None:
    content = tensor.table(3)
    if content is None or content.number(0, "B") != BOX:
        return
    box = content.table(1)
    if box is None:
        return
    form, order = int(box.number(1, "b")), tuple(map(int, box.numbers(0, "I")))
    if not 0 <= form < len(BOX_FORMS) or (order and sorted(order) != [0, 1, 2, 3]):
        raise ValueError(f"boxes of the form {form} in the order {order}")
    found["box_form"] = BOX_FORMS[form]
    found["box_order"] = order
    found["pixels"] = box.number(2, "b") == 1


def _coding(options: Table) -> Coding | None:
    listed, decoding = options.table(1), options.table(2)
    fixed = listed.table(0) if listed is not None else None
    if fixed is None:
        return None
    rows = [[each.number(side, "f") for side in range(4)] for each in fixed.tables(0)]
    anchors = np.array(rows, np.float32).reshape(-1, 4)
    if len(anchors) > MOST_ANCHORS or not np.isfinite(anchors).all():
        raise ValueError(f"{len(anchors)} anchors, or some that are no numbers")
    if decoding is None:
        return Coding(anchors, (1.0, 1.0, 1.0, 1.0))
    # The schema lists x, y, width, height; the boxes are written as y, x, h, w.
    y, x, tall, wide = (decoding.number(field, "f") or 1.0 for field in (7, 6, 9, 8))
    if not np.isfinite([y, x, tall, wide]).all():
        raise ValueError(f"scales {y}, {x}, {tall}, {wide}")
    exponential = bool(decoding.number(10, "B"))
    sigmoid = bool(decoding.number(11, "B"))
    return Coding(anchors, (y, x, tall, wide), exponential, sigmoid)


def _packed_labels(model: bytes) -> tuple[str, ...]:
    """The labels in the zip behind the model: its file of labels, one a line."""
    if b"PK\x05\x06" not in model[-(1 << 16) - 22 :]:
        return ()
    import zipfile  # 1 MiB, for the few files that have one
    import zlib

    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            entries = sorted(archive.infolist(), key=_is_no_label_file)
            for entry in entries:
                known = entry.compress_type in (
                    zipfile.ZIP_STORED,
                    zipfile.ZIP_DEFLATED,
                )
                if known and entry.filename.lower().endswith(".txt"):
                    with archive.open(entry) as text:
                        return labels_of(text.read(LABELS_MAX_BYTES))
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,  # a version of zip that zipfile does not read
        RuntimeError,  # one that wants a password
        EOFError,
        OSError,
    ) as error:
        raise ValueError(f"the zip behind it cannot be read ({error})") from None
    return ()


def _is_no_label_file(entry: Any) -> bool:
    return "label" not in entry.filename.lower()


def labels_of(text: bytes) -> tuple[str, ...]:
    """The labels of a label file, one a line; an empty line keeps its number.

    Where each line begins with its number, as in Coral's files, that number counts.
    """
    wide = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    lines = text.decode("utf-16" if wide else "utf-8-sig", "replace").splitlines()
    found = [line.strip().lower() for line in lines[:MOST_LABELS]]
    numbered = [NUMBERED.fullmatch(label) for label in found if label]
    places = {int(each[1]): each[2] for each in numbered if each is not None}
    if not places or len(places) < len(numbered) or max(places) >= MOST_LABELS:
        return tuple(found)
    return tuple(places.get(number, "") for number in range(max(places) + 1))

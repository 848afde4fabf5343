"""What a model file says of itself is read, or refused; nothing in it is believed."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import models_bent as bent
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from doorsill.errors import ConfigError
from doorsill.models.flatbuffer import Table
from doorsill.models.stated import Stated, labels_of, read_stated

SEED = 31
ANCHORS = np.array([[0.5, 0.5, 0.1, 0.2], [0.25, 0.75, 0.3, 0.4]])
WHOLE = bent.metadata(
    mean=[127, 127, 127],
    deviation=[128, 128, 128],
    size=(320, 256),
    outputs=["Location", "Category", "Score", "number of detections"],
    box_order=[1, 0, 3, 2],
    anchors=ANCHORS,
    scales=(1, 2, 3, 4),
    sigmoid=True,
)


def empty_model() -> bytes:
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [], [schema.BufferT()]
    builder = bent.flatbuffers.Builder(64)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_file_without_metadata_says_nothing():
    assert read_stated(empty_model()) == Stated()


def test_metadata_is_read_in_full():
    found = read_stated(bent.with_metadata(empty_model(), WHOLE))
    assert (found.mean, found.deviation) == ((127,) * 3, (128,) * 3)
    assert found.size == (320, 256)
    assert found.outputs == ("location", "category", "score", "number of detections")
    assert (found.box_form, found.box_order) == ("boundaries", (1, 0, 3, 2))
    assert not found.pixels
    assert np.allclose(found.coding.anchors, ANCHORS)
    assert found.coding.scales == (2, 1, 4, 3), "of y, x, height, width"
    assert found.coding.exponential and found.coding.sigmoid


def test_labels_lie_in_a_zip_behind_the_model():
    model = bent.with_labels_behind(empty_model(), ["???", "Person ", "", "Cat"])
    assert read_stated(model).labels == ("???", "person", "", "cat")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        pytest.param(b"a\r\nb\n\xff\n", ("a", "b", "�"), id="windows, Latin-1"),
        pytest.param(b"\xef\xbb\xbfperson\ncar", ("person", "car"), id="with a mark"),
        pytest.param("Person\ncar".encode("utf-16"), ("person", "car"), id="UTF-16"),
        pytest.param(b"0  person\n2  car\n", ("person", "", "car"), id="numbered"),
        pytest.param(b"0: cat\n1: person\n", ("cat", "person"), id="with colons"),
        pytest.param(b"1 up\ntwo\n", ("1 up", "two"), id="one that is a number"),
        pytest.param(b"99999 a\n", ("99999 a",), id="a number beyond any list"),
        pytest.param(b"", (), id="empty"),
    ],
)
def test_a_label_file_may_be_of_any_system(text, labels):
    assert labels_of(text) == labels


def test_of_several_files_behind_a_model_that_of_labels_is_read():
    model = io.BytesIO(empty_model())
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("README.txt", "a detector\nof things")
        archive.writestr("labelmap.txt", "person\ncar")
    assert read_stated(model.getvalue()).labels == ("person", "car")


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        pytest.param(b"\x04\0\0\0", "offset points to byte", id="cut"),
        pytest.param(bent.metadata(mean=[1], deviation=[0]), "deviation", id="by 0"),
        pytest.param(
            bent.metadata(mean=[np.nan], deviation=[1]), "mean", id="no number"
        ),
        pytest.param(bent.metadata(mean=[1, 2], deviation=[1]), "mean", id="two"),
        pytest.param(
            bent.metadata(outputs=["a"], box_order=[0, 0, 1, 2]), "order", id="twice"
        ),
        pytest.param(
            bent.metadata(anchors=np.full((2, 4), np.inf)), "anchors", id="anchors"
        ),
        pytest.param(
            bent.metadata(anchors=ANCHORS, scales=(1, np.nan, 1, 1)),
            "scales",
            id="scales",
        ),
    ],
)
def test_metadata_that_cannot_be_is_refused(metadata, sentence):
    with pytest.raises(ConfigError, match=f"metadata is damaged: .*{sentence}"):
        read_stated(bent.with_metadata(empty_model(), metadata))


def test_a_zip_that_is_cut_is_refused():
    model = bytearray(bent.with_labels_behind(empty_model(), ["person"]))
    model[model.index(b"PK\x01\x02")] ^= 0xFF
    with pytest.raises(ConfigError, match="the zip behind it cannot be read"):
        read_stated(bytes(model))


def test_no_damage_is_worse_than_a_sentence():
    rng = random.Random(SEED)
    good = bent.with_labels_behind(
        bent.with_metadata(empty_model(), WHOLE), ["person", "car"]
    )
    outcomes = set()
    for _ in range(3000):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        try:
            read_stated(
                bytes(bad[: rng.randint(8, len(bad))] if rng.random() < 0.3 else bad)
            )
            outcomes.add("read")
        except ConfigError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_list_is_held_to_the_bytes_that_are_there():
    fields = struct.pack("<HHH", 6, 8, 4)  # a table of one field, at 4
    table = struct.pack("<iI", 6, 4)
    data = fields + table + struct.pack("<I", 1 << 30)
    with pytest.raises(ValueError, match="does not fit"):
        Table(data, 6).numbers(0, "f")
    assert Table(data, 6).numbers(1) == (), "a field that is not there is empty"

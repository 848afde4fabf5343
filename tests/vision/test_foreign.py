"""A real detector in every form of the field sees the same people, or is refused."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from functools import cache

import models_bent as bent
import numpy as np
import pytest
from foreign import CLIP, pictures, ssd
from interpreters import FakeInterpreter, ssd_results

from doorsill.cli import main
from doorsill.config import ModelSection
from doorsill.drivers.model import runtime
from doorsill.drivers.model.graph import Ends
from doorsill.errors import ConfigError
from doorsill.models.stated import Stated, read_stated
from doorsill.services.detectors import open_detector, with_probed_delegate
from doorsill.values import Frame
from doorsill.vision.detect.foreign import foreign_detector

ANCHORS_SCALE = 0.006453060545027256  # of the anchors in the file, per step
pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="needs ../shared/data")


def people(model: bytes):
    net = runtime.load(model)
    detector = foreign_detector(net, read_stated(model)).detector
    return [detector.detect(Frame(pixels, 0.0)) for pixels in pictures()]


@cache
def expected():
    return people(ssd())


def own_anchors() -> np.ndarray:
    """Those that the file's own operation has, as centre x, y, width, height."""
    graph = bent.schema.ModelT.InitFromPackedBuf(ssd(), 0).subgraphs[0]
    tensor = graph.tensors[graph.operators[-1].inputs[2]]
    root = bent.schema.ModelT.InitFromPackedBuf(ssd(), 0)
    stored = np.frombuffer(bytes(root.buffers[tensor.buffer].data), np.uint8)
    return stored.reshape(-1, 4)[:, [1, 0, 3, 2]] * ANCHORS_SCALE


MEDIAPIPE = bent.metadata(
    mean=[127.5],
    deviation=[127.5],
    outputs=["location", "category", "score", "number of detections"],
    box_order=[1, 0, 3, 2],
)
COCO = ["person", "bicycle", "car", *["?"] * 87]
FORMS = [
    pytest.param(lambda m: m, 0, id="as it is"),
    pytest.param(lambda m: bent.with_float_input(m), 0, id="float input"),
    pytest.param(lambda m: bent.with_results(m, [2, 0, 3, 1]), 0, id="another order"),
    pytest.param(lambda m: bent.with_results(m, [0, 1, 2]), 0, id="no count"),
    pytest.param(lambda m: bent.with_results(m, [2, 1, 0]), 0, id="no count, order"),
    pytest.param(lambda m: bent.with_whole_classes(m), 0, id="classes as int32"),
    pytest.param(
        lambda m: bent.with_open_sides(m, [-1, 300, 300, 3]), 0, id="open batch"
    ),
    pytest.param(
        lambda m: bent.with_metadata(
            bent.with_open_sides(m, [-1, -1, -1, 3]), bent.metadata(size=(300, 300))
        ),
        0,
        id="open size, from the metadata",
    ),
    pytest.param(
        lambda m: bent.with_metadata(bent.with_float_input(m), MEDIAPIPE),
        0.05,
        id="MediaPipe's metadata and float",
    ),
    pytest.param(
        lambda m: bent.with_labels_behind(bent.with_metadata(m, MEDIAPIPE), COCO),
        0,
        id="Model Maker's metadata and labels behind",
    ),
    pytest.param(lambda m: bent.raw(m), 0.01, id="raw, anchors by rule"),
    pytest.param(lambda m: bent.raw_in_rows(m), 0.01, id="raw, boxes as n x 1 x 4"),
    pytest.param(
        lambda m: bent.with_labels_behind(
            m, [f"{number}  {label}" for number, label in enumerate(COCO)]
        ),
        0,
        id="labels with their numbers",
    ),
    pytest.param(
        lambda m: bent.raw(m, scores_first=True), 0.01, id="raw, scores first"
    ),
    pytest.param(
        lambda m: bent.with_float_input(bent.raw(m)), 0.01, id="raw with float input"
    ),
    pytest.param(
        lambda m: bent.with_labels_behind(bent.raw(m), ["???", *COCO]),
        0.01,
        id="raw with labels behind",
    ),
    pytest.param(
        lambda m: bent.with_metadata(bent.raw(m), bent.metadata(anchors=own_anchors())),
        1e-6,
        id="raw with the anchors in its metadata",
    ),
]


@pytest.mark.parametrize(("bend", "off"), FORMS)
def test_a_detector_in_another_form_sees_the_same_people(bend, off):
    assert sum(map(len, expected())) >= 4, "the pictures show people"
    for found, wanted in zip(people(bend(ssd())), expected(), strict=True):
        assert len(found) == len(wanted)
        assert np.allclose(found.boxes, wanted.boxes, atol=off)
        assert np.allclose(found.scores, wanted.scores, atol=off)


def test_labels_of_other_things_change_what_is_found():
    """The control: with people as another class, nobody is there."""
    labels = ["bicycle", "person", *["?"] * 88]
    assert not any(map(len, people(bent.with_labels_behind(ssd(), labels))))


@pytest.mark.parametrize("name", ["m.tflite", "m.TFLITE", "m.lite", "m.Lite", "m.bin"])
def test_a_path_is_a_model_whatever_it_ends_in(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(ssd())
    section = ModelSection(detector=str(path))
    detector = open_detector(with_probed_delegate(section))
    assert len(detector.detect(Frame(pictures()[0], 0.0))) == len(expected()[0])


def test_a_file_is_named_by_its_path(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "efficientdet").write_bytes(ssd())
    command = ["models", "info"]
    assert main.run([*command, "efficientdet"]) == 2
    assert "for the file, write ./efficientdet" in capsys.readouterr().err
    assert main.run([*command, "./efficientdet"]) == 0


def test_what_a_file_says_is_read_before_a_process_confines_itself(
    tmp_path, monkeypatch
):
    path = tmp_path / "m.tflite"
    path.write_bytes(bent.with_labels_behind(ssd(), COCO))
    monkeypatch.delitem(sys.modules, "zipfile")
    with_probed_delegate(ModelSection(detector=str(path)))
    assert "zipfile" in sys.modules


def zipped(_model: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("config.json", "{}")
    return whole.getvalue()


WRONG = [
    pytest.param(lambda m: b"", "an empty file", id="empty"),
    pytest.param(lambda m: bytes(4096), "4096 bytes of zeros", id="zeros"),
    pytest.param(zipped, "a zip archive, as .keras, .pt and .task", id="keras, task"),
    pytest.param(lambda m: b"\x89HDF\r\n\x1a\n" + m, "Keras model", id="h5"),
    pytest.param(
        lambda m: b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "an ONNX model", id="onnx"
    ),
    pytest.param(lambda m: b"\n<!DOCTYPE html><html>", "a web page", id="web page"),
    pytest.param(
        lambda m: b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        "a pointer of Git LFS", id="LFS",
    ),
    pytest.param(lambda m: m[: len(m) // 2], "cannot be loaded", id="truncated"),
    pytest.param(
        lambda m: bent.with_custom_operation(m, "edgetpu-custom-op"),
        "compiled for an Edge TPU", id="Edge TPU",
    ),
    pytest.param(
        lambda m: bent.with_custom_operation(m, "FlexNonMaxSuppressionV3"),
        "FlexNonMaxSuppressionV3, an operation of TensorFlow itself", id="Flex",
    ),
    pytest.param(
        lambda m: bent.with_custom_operation(m, "OursAlone"), "needs OursAlone",
        id="an operation of their own",
    ),
    pytest.param(
        lambda m: bent.with_labels_behind(m, ["cat", "dog"]),
        "none of the model's 2 labels is a person: cat, dog", id="cats and dogs",
    ),
    pytest.param(
        lambda m: bent.with_results(m, [0, 2]),
        "not the classes that its TFLite_Detection_PostProcess finds, of 91",
        id="boxes and scores of anything",
    ),
    pytest.param(
        lambda m: bent.with_metadata(m, b"\xff" * 64), "metadata is damaged",
        id="damaged metadata",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "sentence"), WRONG)
def test_what_cannot_be_read_is_refused_by_what_was_found(
    spoil, sentence, tmp_path, capsys
):
    path = tmp_path / "m.tflite"
    path.write_bytes(spoil(ssd()))
    line = ["--line", "0.5,0,0.5,1"]
    for command in (["count", str(CLIP), *line, "--model"], ["models", "info"]):
        assert main.run([*command, str(path)]) == 2
        said = capsys.readouterr().err
        assert sentence in said and "m.tflite" in said
        assert said.count("\n") == 1


RESULTS = ssd_results([(0.1, 0.2, 0.3, 0.9)], [0.9])
FLOAT = {"dtype": np.float32, "outputs": RESULTS, "post": (0, 1, 2, 3)}


@pytest.mark.parametrize(
    ("said", "ends", "black", "white", "doubts"),
    [
        pytest.param(Stated(), Ends(), -1, 1, 1, id="nothing is said"),
        pytest.param(
            Stated(mean=(0.0,), deviation=(255.0,)), Ends(), 0, 1, 0, id="metadata"
        ),
        pytest.param(Stated(), Ends("QUANTIZE", (-2, 3)), -2, 3, 0, id="quantised"),
        pytest.param(Stated(), Ends("SUB"), 0, 255, 0, id="scales itself"),
    ],
)
def test_a_pixel_becomes_the_number_that_the_file_wants(
    said, ends, black, white, doubts
):
    fake = FakeInterpreter(**FLOAT, ends=ends)
    foreign = foreign_detector(fake, said)
    picture = np.zeros((256, 320, 3), np.uint8)
    picture[:, 160:] = 255
    foreign.detector.detect(Frame(picture, 0.0))
    assert np.allclose(fake.seen[0, :, :160], black, atol=1e-5)
    assert np.allclose(fake.seen[0, :, 160:], white, atol=1e-5)
    assert not fake.memory.any(), "nobody stays in the input"
    assert len(foreign.doubts) == doubts


def test_each_colour_can_have_its_own_scale():
    fake = FakeInterpreter(**FLOAT)
    said = Stated(mean=(10.0, 20.0, 30.0), deviation=(1.0, 2.0, 4.0))
    foreign_detector(fake, said).detector.detect(
        Frame(np.full((128, 320, 3), 50, np.uint8), 0.0)
    )
    assert np.allclose(fake.seen[0, 128], (40, 15, 5))
    assert np.allclose(fake.seen[0, 0], (118, 54, 24.5)), "grey beside the picture"


def test_an_input_of_another_kind_is_named():
    for dtype in (np.int16, np.int32, np.float64):
        with pytest.raises(ConfigError, match=f"input is {np.dtype(dtype)}"):
            foreign_detector(FakeInterpreter(dtype=dtype))


MANIFEST = """
[model]
name = "somebody-elses"
version = "1.0.0"
kind = "ssd"
file = "m.lite"
sha256 = "{digest}"
status = "experimental"
licence = "Apache-2.0"
training_commit = "none"
provenance = "made by somebody else"

[input]
width = 300
height = 300
encoding = "rgb"
dtype = "uint8"

[ssd]
person = {person}
"""


@pytest.mark.parametrize(("person", "found"), [(1, True), (3, False)])
def test_a_manifest_names_the_column_of_people(person, found, tmp_path, capsys):
    model = bent.raw(ssd())
    (tmp_path / "m.lite").write_bytes(model)
    digest = hashlib.sha256(model).hexdigest()
    path = tmp_path / "m.toml"
    path.write_text(MANIFEST.format(digest=digest, person=person))
    detector = open_detector(ModelSection(detector=str(path)))
    seen = [detector.detect(Frame(pixels, 0.0)) for pixels in pictures()]
    assert any(map(len, seen)) == found
    assert main.run(["models", "info", str(path)]) == 0
    assert "1917 raw boxes, anchors by the rule ssd" in capsys.readouterr().out

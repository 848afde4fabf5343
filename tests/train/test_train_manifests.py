"""What is published: a manifest that the firmware reads, of the file as it is."""

from __future__ import annotations

import argparse
import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pytest

from doorsill.errors import UntrustedError
from doorsill.models import manifest as registry
from doorsill_train.judge.held_out import EveryPeak, int8_detector
from doorsill_train.publish import golden
from doorsill_train.publish.manifests import (
    Raw,
    input_section,
    model_section,
    output_sections,
    quoted,
    section,
)
from doorsill_train.shards import HEIGHT, WIDTH
from doorsill_train.shipped import GOLDEN, LABELS, MODELS

DETECTOR = (MODELS / "detector.tflite").read_bytes()
ATTRIBUTES = (MODELS / "attributes.tflite").read_bytes()
ARGUMENTS = argparse.Namespace(version="1.2.3", status="stable", commit="abc1234")


def test_where_the_shipped_models_lie() -> None:
    assert (MODELS / "detector.toml").is_file()
    assert GOLDEN.is_file()
    assert LABELS.is_file()


@pytest.mark.parametrize(
    ("value", "text"),
    [("heads", '"heads"'), (0.25, "0.25"), (7, "7"), (Raw('["a", "b"]'), '["a", "b"]')],
)
def test_text_is_quoted_and_numbers_are_not(value: object, text: str) -> None:
    assert quoted(value) == text


def test_a_section_reads_back_as_it_was_written() -> None:
    text = section("[a]", {"name": "x", "scale": 0.1, "labels": Raw('["p", "q"]')})
    assert tomllib.loads(text) == {
        "a": {"name": "x", "scale": 0.1, "labels": ["p", "q"]}
    }


@pytest.mark.parametrize(
    ("name", "model", "sizes"),
    [
        ("detector", DETECTOR, {1: "heat", 10: "reg"}),
        ("attributes", ATTRIBUTES, {4: "age", 2: "expression"}),
    ],
)
def test_the_quantisation_is_read_back_from_the_file(
    name: str, model: bytes, sizes: dict[int, str]
) -> None:
    made = tomllib.loads(output_sections(model, sizes, {}))["output"]
    shipped = tomllib.loads((MODELS / f"{name}.toml").read_text())["output"]
    kept = ("name", "shape", "scale", "zero")
    assert made == [{key: each[key] for key in kept} for each in shipped]


def test_what_an_output_means_is_added_to_it() -> None:
    more = {"age": {"least_confidence": 0.5}}
    text = output_sections(ATTRIBUTES, {4: "age", 2: "expression"}, more)
    told = {each["name"]: each for each in tomllib.loads(text)["output"]}
    assert told["age"]["least_confidence"] == 0.5
    assert "least_confidence" not in told["expression"]


def written(folder: Path, model: bytes, **decode: float) -> Path:
    """A detector's two files."""
    usual = {"threshold": 0.3, "head_overlap": 0.3, "person_overlap": 0.65, "sure": 0.5}
    parts = [
        model_section("detector", "heads", model, ARGUMENTS),
        input_section(WIDTH, HEIGHT, "rgb"),
        output_sections(model, {1: "heat", 10: "reg"}, {}),
        section("[decode]", usual | decode),
    ]
    (folder / "detector.tflite").write_bytes(model)
    (folder / "detector.toml").write_text("\n".join(parts))
    return folder / "detector.toml"


def test_the_firmware_reads_what_is_published(tmp_path: Path) -> None:
    manifest = registry.load_manifest(written(tmp_path, DETECTOR, threshold=0.2))
    assert (manifest.name, manifest.version, manifest.status) == (
        "detector",
        "1.2.3",
        "stable",
    )
    assert (manifest.width, manifest.height, manifest.encoding) == (320, 256, "rgb")
    assert manifest.sha256 == hashlib.sha256(DETECTOR).hexdigest()
    assert registry.verified_model(manifest) == DETECTOR
    assert manifest.decode is not None and manifest.decode.threshold == 0.2


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, DETECTOR)
    (tmp_path / "detector.tflite").write_bytes(DETECTOR[:-1] + b"x")
    with pytest.raises(UntrustedError, match="has sha256"):
        registry.verified_model(registry.load_manifest(path))


def test_a_manifest_says_that_nobody_was_photographed() -> None:
    told = tomllib.loads(model_section("detector", "heads", b"", ARGUMENTS))["model"]
    assert "No photograph of a person was used" in told["provenance"]
    assert told["training_commit"] == "abc1234"


def test_a_published_detector_is_asked_as_the_firmware_asks_it() -> None:
    """In the picture of nothing but grey there is nobody; none is found twice."""
    manifest = registry.shipped("detector")
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    assert len(int8_detector(manifest, 0.3)(grey)) == 0
    image = (golden.picture(HEIGHT, WIDTH).astype(np.int16) + 128).astype(np.uint8)
    some = int8_detector(manifest, 0.02)(image)
    every = int8_detector(manifest, 0.02, EveryPeak)(image)
    assert len(every) >= len(some)


def test_the_golden_picture_is_always_the_same() -> None:
    picture = golden.picture(HEIGHT, WIDTH)
    assert picture.dtype == np.int8
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(picture, golden.picture(HEIGHT, WIDTH))
    assert len(np.unique(picture)) > 100, "it asks for more than a few values"

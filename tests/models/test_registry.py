"""Manifests are read strictly, and a model is what its manifest says or nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from doorsill.errors import ConfigError, UntrustedError
from doorsill.models import manifest as registry

MODEL = b"....TFL3 not a real network"
HEADS = f"""
[model]
name = "detector"
version = "1.0.0"
kind = "heads"
file = "detector.tflite"
sha256 = "{hashlib.sha256(MODEL).hexdigest()}"
status = "experimental"
licence = "Apache-2.0"
training_commit = "none"
provenance = "rendered people"

[input]
width = 320
height = 256
encoding = "rgb"
dtype = "int8"

[[output]]
name = "heat"
shape = "1x32x40x1"
scale = 0.00390625
zero = -128

[[output]]
name = "reg"
shape = "1x32x40x10"
scale = 0.03
zero = 4

[decode]
threshold = 0.35
head_overlap = 0.3
person_overlap = 0.65
sure = 0.45
"""
AGE = """
[[output]]
name = "age"
shape = "1x4"
scale = 0.1
zero = 0
labels = ["child", "young adult", "adult", "older"]
bands = ["child", "adult", "adult", "adult"]
least_confidence = 0.6
temperature = 1.2
"""
ATTRIBUTES = HEADS[: HEADS.index("[[output]]")].replace('"heads"', '"attributes"') + AGE


def write(folder: Path, text: str) -> Path:
    path = folder / "detector.toml"
    path.write_text(text)
    (folder / "detector.tflite").write_bytes(MODEL)
    return path


@pytest.mark.parametrize("text", [HEADS, ATTRIBUTES], ids=["heads", "attributes"])
def test_a_good_manifest_is_read_and_its_model_is_given(
    tmp_path: Path, text: str
) -> None:
    manifest = registry.load_manifest(write(tmp_path, text))
    assert registry.verified_model(manifest) == MODEL
    assert manifest.outputs[0].shape[0] == 1
    assert (manifest.width, manifest.height) == (320, 256)


def test_a_swapped_model_is_not_to_be_trusted(tmp_path: Path) -> None:
    manifest = registry.load_manifest(write(tmp_path, HEADS))
    manifest.model_path.write_bytes(MODEL + b"!")
    with pytest.raises(UntrustedError, match="sha256"):
        registry.verified_model(manifest)


def test_a_missing_model_is_said_to_be_missing(tmp_path: Path) -> None:
    manifest = registry.load_manifest(write(tmp_path, HEADS))
    manifest.model_path.unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        registry.verified_model(manifest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(HEADS + "more = 1\n", "more is not an option", id="unknown key"),
        pytest.param(HEADS.replace("320", "8"), "below the minimum of 16", id="tiny"),
        pytest.param(HEADS.replace('"heads"', '"faces"'), "kind", id="unknown kind"),
        pytest.param(
            HEADS.replace("detector.tflite", "../x.tflite"), "file", id="path"
        ),
        pytest.param(
            HEADS.replace("1x32x40x10", "1x32x40x8"), "reg must be", id="shape"
        ),
        pytest.param(HEADS.replace('"heat"', '"faces"'), "heat", id="no heat"),
        pytest.param(HEADS.replace("version", "verion"), "version", id="mistyped"),
        pytest.param("not toml", "is not TOML", id="no TOML"),
        pytest.param(ATTRIBUTES[: -len(AGE)], "output is missing", id="says nothing"),
    ],
)
def test_an_odd_manifest_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        registry.load_manifest(write(tmp_path, text))


@pytest.mark.parametrize("name", ["embedding", "identity", "race", "emotion", "gender"])
def test_no_model_may_say_more_of_a_person_than_age_and_expression(
    tmp_path: Path, name: str
) -> None:
    text = ATTRIBUTES + AGE.replace('"age"', f'"{name}"')
    with pytest.raises(ConfigError, match="is not allowed"):
        registry.load_manifest(write(tmp_path, text))


def test_the_words_for_age_are_fixed(tmp_path: Path) -> None:
    text = ATTRIBUTES.replace('"older"', '"pensioner"')
    with pytest.raises(ConfigError, match="age must be the labels child, adult, or"):
        registry.load_manifest(write(tmp_path, text))


BAND_LINE = 'bands = ["child", "adult", "adult", "adult"]\n'


@pytest.mark.parametrize(
    "bands",
    [
        pytest.param("", id="none, and the labels are finer"),
        pytest.param('bands = ["child", "adult", "adult"]\n', id="one too few"),
        pytest.param('bands = ["child", "adult", "adult", "older"]\n', id="finer"),
        pytest.param('bands = ["adult", "adult", "adult", "adult"]\n', id="only one"),
    ],
)
def test_each_label_has_one_of_the_bands_that_may_be_told(
    tmp_path: Path, bands: str
) -> None:
    text = ATTRIBUTES.replace(BAND_LINE, bands)
    with pytest.raises(ConfigError, match="band for each of its 4 labels, and the ban"):
        registry.load_manifest(write(tmp_path, text))


def test_where_the_labels_are_the_bands_they_need_not_be_named(tmp_path: Path) -> None:
    text = ATTRIBUTES.replace(BAND_LINE, "").replace("1x4", "1x2")
    text = text.replace('"young adult", "adult", "older"', '"adult"')
    (output,) = registry.load_manifest(write(tmp_path, text)).outputs
    assert output.bands == output.labels == ("child", "adult")


def test_two_outputs_that_the_file_could_exchange_are_an_error(tmp_path: Path) -> None:
    two = AGE.replace(BAND_LINE, "").replace("1x4", "1x2")
    age = two.replace('"young adult", "adult", "older"', '"adult"')
    other = two.replace('"age"', '"expression"').replace(
        '"child", "young adult", "adult", "older"', '"feminine", "masculine"'
    )
    text = ATTRIBUTES.replace(AGE, age + other)
    with pytest.raises(ConfigError, match="two have the same shape and scale"):
        registry.load_manifest(write(tmp_path, text))
    apart = text.replace("scale = 0.1", "scale = 0.2", 1)
    assert len(registry.load_manifest(write(tmp_path, apart)).outputs) == 2


def test_a_manifest_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        registry.load_manifest(tmp_path / "none.toml")


SSD = (
    HEADS[: HEADS.index("[[output]]")]
    .replace('"heads"', '"ssd"')
    .replace("detector.tflite", "Det_1.LITE")
    .replace('"int8"', '"float32"\nmean = 127.0\ndeviation = 128.0')
)


def ssd_manifest(tmp_path: Path, rest: str) -> registry.Manifest:
    path = tmp_path / "ssd.toml"
    path.write_text(SSD + rest)
    return registry.load_manifest(path)


def test_a_manifest_says_of_somebody_elses_detector_what_its_file_does_not(
    tmp_path: Path,
) -> None:
    rest = '[ssd]\nperson = 4\nanchors = "efficientdet"\nanchor_scale = 4.0\n'
    manifest = ssd_manifest(tmp_path, rest)
    assert manifest.scaling == ((127.0,), (128.0,))
    assert manifest.overrides is not None
    assert (manifest.overrides.person, manifest.overrides.anchors) == (
        4,
        "efficientdet",
    )
    assert manifest.overrides.anchor_scale == 4.0
    assert ssd_manifest(tmp_path, "").overrides is None


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("[ssd]\nperson = -1\n", "person = -1 is below the minimum of 0"),
        ('[ssd]\nanchors = "mine"\n', "anchors = 'mine' does not match"),
        ("[ssd]\nanchor_scale = 3.0\n", "anchor_scale is not an option"),
        ("[ssd]\npersons = 1\n", "persons is not an option; did you mean person"),
    ],
)
def test_what_a_manifest_cannot_say_is_named(
    rest: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ssd_manifest(tmp_path, rest)

"""Which models we ship, and the only way to get at their bytes.

A manifest (TOML) says what a model is, what goes in, what comes out and who made it.
``load_manifest`` refuses one that is odd; ``verified_model`` gives bytes only when
their SHA-256 is the manifest's. What a model may say about a person: ``said.py``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from doorsill.documents.fields import Fields
from doorsill.documents.reading import parse_toml, read_file
from doorsill.errors import ConfigError, UntrustedError
from doorsill.models.recognise import MODEL_MAX_BYTES
from doorsill.models.said import wrong_in

RULES = ("ssd", "retina", "efficientdet")  # see vision/detect/anchors.py


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a manifest says about a detector of the field, beyond the file itself."""

    person: int | None = None  # class or column of people
    anchors: str = ""  # one of RULES
    anchor_scale: float = 0.0  # of efficientdet, in cells; 0: as usual


class Scaling(NamedTuple):
    """What a network with a float input takes: (pixel - mean) / deviation.

    One number each, or one for each of R, G and B.
    """

    mean: tuple[float, ...] = (127.5,)
    deviation: tuple[float, ...] = (127.5,)


CHANNELS = 10  # of the output ``reg``, see vision/detect/heads.py


@dataclass(frozen=True, slots=True)
class Quantisation:
    """real = scale * (stored - zero)"""

    scale: float
    zero: int


@dataclass(frozen=True, slots=True)
class HeadsDecode:
    """What the manifest fixes for one trained detector."""

    threshold: float  # lowest score that is reported at all, 0..1
    head_overlap: float = 0.3  # IoU of two heads above which they are one
    person_overlap: float = 0.65  # IoU of two bodies above which they are one
    sure: float = 0.45  # score from which an answer counts in a single picture


KINDS = ("heads", "ssd", "attributes")
MANIFEST_MAX_BYTES = 64 << 10  # of a manifest
TEXT = r"[^\x00-\x1f]+"
MODEL_FILE = r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(?i:tflite|lite)"  # beside the manifest
SHAPE = r"[0-9]{1,6}(x[0-9]{1,6}){0,7}"  # as 1x96x96x3
LONGEST_SIDE = 2048  # of an input, pixels
MOST_CLASSES = 9999  # highest class or column of people


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output; real = scale * (stored - zero).

    ``labels`` and ``bands`` only for attributes: what the network was taught, and how
    each of these is answered.
    """

    name: str
    shape: tuple[int, ...]
    quantisation: Quantisation
    labels: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()  # one for each label
    least_confidence: float = 0.0  # below it the answer is unknown
    temperature: float = 1.0  # divides the logits, so that confidence is honest


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is known about one model file."""

    path: Path  # of the manifest
    name: str
    version: str
    kind: str
    file: str
    sha256: str
    status: str
    licence: str
    training_commit: str
    provenance: str
    width: int  # of the input, pixels
    height: int  # of the input, pixels
    encoding: str  # "rgb", or "change": luma and two differences
    dtype: str
    outputs: tuple[OutputTensor, ...]
    decode: HeadsDecode | None  # for kind "heads"
    overrides: Overrides | None = None  # for kind "ssd": what its file does not say
    scaling: Scaling | None = None  # of a float input

    @property
    def model_path(self) -> Path:
        """The model's file, which lies beside its manifest."""
        return self.path.parent / self.file

    def output(self, name: str) -> OutputTensor:
        """One output by name; raises ConfigError where there is none."""
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        raise ConfigError(f"{self.name} has no output named {name}")


def folders() -> tuple[Path, ...]:
    """Where models are searched: in the package, then in a source tree."""
    package = Path(__file__).parent.parent
    return package / "models", package.parent.parent / "models"


def manifests() -> tuple[Path, ...]:
    """The manifests that came with this installation, by name."""
    for folder in folders():
        found = sorted(folder.glob("*.toml"))
        if found:
            return tuple(found)
    return ()


def shipped(name: str) -> Manifest:
    """A model of ours by its name, such as ``detector``; raises ConfigError."""
    for path in manifests():
        if path.stem == name:
            return load_manifest(path)
    known = ", ".join(path.stem for path in manifests()) or "none"
    there = f"; for the file, write ./{name}" if Path(name).is_file() else ""
    raise ConfigError(f"there is no model named {name}; there are: {known}{there}")


def load_manifest(path: Path) -> Manifest:
    """Read a manifest strictly; all that is wrong is said in one ConfigError."""
    raw = read_file(path, MANIFEST_MAX_BYTES)
    try:
        document = parse_toml(raw)
    except ConfigError as error:
        raise ConfigError(f"{path} {error}") from None
    problems: list[str] = []
    manifest = _read(path, Fields("manifest", document, problems), problems)
    if problems:
        raise ConfigError(*problems).of(path)
    return manifest


def verified_model(manifest: Manifest) -> bytes:
    """The model's bytes; raises UntrustedError when they are not the manifest's."""
    model = read_file(manifest.model_path, MODEL_MAX_BYTES)
    found = hashlib.sha256(model).hexdigest()
    if found != manifest.sha256:
        raise UntrustedError(
            f"{manifest.model_path} has sha256 {found},"
            f" but its manifest says {manifest.sha256}"
        )
    return model


def _read(path: Path, top: Fields, problems: list[str]) -> Manifest:
    model, given = top.table("model"), top.table("input")
    kind = model.text("kind", "|".join(KINDS), 16)
    plain: dict[str, Any] = {
        "name": model.text("name", r"[a-z0-9-]+", 64),
        "version": model.text("version", r"\d+\.\d+\.\d+", 32),
        "file": model.text("file", MODEL_FILE, 128),
        "sha256": model.text("sha256", r"[0-9a-f]{64}", 64),
        "status": model.text("status", "stable|experimental", 16),
        "licence": model.text("licence", TEXT, 64),
        "training_commit": model.text("training_commit", r"[0-9a-f]{7,40}|none", 40),
        "provenance": model.text("provenance", TEXT, 2000),
        "encoding": given.text("encoding", "rgb|change", 16),
        "dtype": given.text("dtype", "int8|uint8|float32", 8),
        "width": given.whole("width", 16, LONGEST_SIDE),
        "height": given.whole("height", 16, LONGEST_SIDE),
    }
    outputs = tuple(_output(each, kind) for each in top.tables("output", 4))
    _check_outputs(kind, outputs, problems)
    decode = _decode(top.table("decode")) if kind == "heads" else None
    scaling = _scaling(given) if plain["dtype"] == "float32" else None
    overrides = _overrides(top.optional_table("ssd")) if kind == "ssd" else None
    for each in (model, given, top):
        each.end()
    return Manifest(
        path,
        kind=kind,
        outputs=outputs,
        decode=decode,
        overrides=overrides,
        scaling=scaling,
        **plain,
    )


def _scaling(given: Fields) -> Scaling | None:
    """The mean and the deviation of a pixel, where a manifest gives them."""
    if not {"mean", "deviation"} & set(given.names()):
        return None
    mean = given.number("mean", -1e3, 1e3)
    deviation = given.number("deviation", 1e-3, 1e3)
    return Scaling((mean,), (deviation,))


def _overrides(table: Fields | None) -> Overrides | None:
    """What a manifest says about somebody else's detector beyond its file."""
    if table is None:
        return None
    person = table.optional_whole("person", 0, MOST_CLASSES, -1)
    anchors = table.text("anchors", f"({'|'.join(RULES)})?", 16, "")
    scale = table.number("anchor_scale", 0.5, 16) if anchors == "efficientdet" else 0.0
    table.end()
    return Overrides(None if person < 0 else person, anchors, scale)


def _output(each: Fields, kind: str) -> OutputTensor:
    name = each.text("name", r"[a-z_]+", 32)
    shape = each.text("shape", SHAPE, 32)
    scale = each.number("scale", 0, 1000)
    zero = each.whole("zero", -128, 255)
    labels: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    least, temperature = 0.0, 1.0
    if kind == "attributes":
        labels = each.texts("labels", TEXT, 8)
        bands = each.texts("bands", TEXT, 8, absent=True, repeated=True) or labels
        least = each.number("least_confidence", 0, 1)
        temperature = each.number("temperature", 0.05, 20)
    each.end()
    right = re.fullmatch(SHAPE, shape)  # a wrong one was noted
    sides = tuple(int(side) for side in shape.split("x")) if right else ()
    stored = Quantisation(scale, zero)
    return OutputTensor(name, sides, stored, labels, bands, least, temperature)


def _decode(table: Fields) -> HeadsDecode:
    settings = HeadsDecode(
        table.number("threshold", 0.01, 0.99),
        table.number("head_overlap", 0.05, 0.95),
        table.number("person_overlap", 0.05, 0.99),
        table.number("sure", 0.01, 0.99),
    )
    table.end()
    return settings


def _check_outputs(
    kind: str, outputs: tuple[OutputTensor, ...], problems: list[str]
) -> None:
    """The allow-list, and the shapes that the decoders rely on."""
    names = [tensor.name for tensor in outputs]
    if len(set(names)) != len(names):
        problems.append(f"manifest.output names {names} hold the same name twice")
    if kind == "heads":
        shapes = {tensor.name: tensor.shape for tensor in outputs}
        heat, reg = shapes.get("heat", ()), shapes.get("reg", ())
        if set(shapes) != {"heat", "reg"} or len(heat) != 4 or heat[3] != 1:
            problems.append("manifest.output must be heat (1xHxWx1) and reg")
        elif reg != (*heat[:3], CHANNELS):
            problems.append(
                f"manifest.output reg must be {heat[1]}x{heat[2]}x{CHANNELS}"
            )
    if kind == "attributes":
        problems += [f"manifest.output {each}" for each in wrong_in(outputs)]
        ends = {(tensor.shape, tensor.quantisation.scale) for tensor in outputs}
        if len(ends) < len(outputs):
            problems.append(
                "manifest.output: two have the same shape and scale, so nothing says"
                " which of the file's outputs is which"
            )

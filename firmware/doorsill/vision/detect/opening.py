"""Open a model that has a manifest: its tensors are those of the manifest."""

from __future__ import annotations

from doorsill.drivers.model.interpreter import Interpreter, Output
from doorsill.drivers.model.runtime import load
from doorsill.errors import ConfigError, UntrustedError
from doorsill.models.manifest import Manifest, verified_model
from doorsill.models.stated import read_stated
from doorsill.values import Detections
from doorsill.vision.detect.detector import Decode
from doorsill.vision.detect.foreign import Foreign, foreign_detector
from doorsill.vision.detect.heads import HeadDecoder
from doorsill.vision.detect.letterbox import Letterbox
from doorsill.vision.detect.ssd import LOWEST_SCORE


def open_model(
    manifest: Manifest,
    *,
    threads: int = 1,
    runtime: str = "litert",
    delegate: str | None = None,
) -> Interpreter:
    """Load a verified model whose tensors are those of its manifest, all of them.

    Raises UntrustedError where they are not, ConfigError where it cannot be loaded.
    """
    interpreter = load(
        verified_model(manifest), threads=threads, runtime=runtime, delegate=delegate
    )
    wanted = (1, manifest.height, manifest.width, 3)
    if interpreter.input.shape != wanted or interpreter.input.dtype != manifest.dtype:
        raise UntrustedError(
            f"{manifest.file} takes {interpreter.input.dtype} {interpreter.input.shape}"
            f", but its manifest says {manifest.dtype} {wanted}"
        )
    if manifest.kind != "ssd":
        found = [(o.tensor.shape, o.tensor.scale) for o in interpreter.outputs()]
        allowed = [(t.shape, t.quantisation.scale) for t in manifest.outputs]
        if sorted(found) != sorted(allowed):
            raise UntrustedError(
                f"{manifest.file} gives {sorted(found)},"
                f" but its manifest allows only {sorted(allowed)}"
            )
    return interpreter


def heads_decoder(
    manifest: Manifest, decoder: type[HeadDecoder] = HeadDecoder
) -> Decode:
    """The decode for a model of kind ``heads``, in any order of its outputs.

    Raises ConfigError where it is of another kind.
    """
    heat, reg = manifest.output("heat"), manifest.output("reg")
    if manifest.decode is None:
        raise ConfigError(f"{manifest.name} is of kind {manifest.kind}, not heads")
    shape = (heat.shape[1], heat.shape[2])
    heads = decoder(shape, heat.quantisation, reg.quantisation, manifest.decode)

    def decode(outputs: tuple[Output, ...], place: Letterbox) -> Detections:
        first, second = outputs[0].values, outputs[1].values
        if first.shape[-1] != 1:
            first, second = second, first
        return heads.decode(first, second, place)

    return decode


def manifested_detector(
    manifest: Manifest, interpreter: Interpreter, lowest_score: float = LOWEST_SCORE
) -> Foreign:
    """A detector of kind ``ssd``; what its manifest says goes before its file.

    Raises ConfigError where it is no detector that can be read.
    """
    try:
        said = read_stated(verified_model(manifest))
        return foreign_detector(
            interpreter, said, manifest.overrides, lowest_score, manifest.scaling
        )
    except ConfigError as error:
        raise error.of(manifest.path) from None

"""A model as a person names it: one of ours, a manifest or a standard SSD-type file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from doorsill import registry
from doorsill.drivers.probe import require_sound
from doorsill.drivers.runtime import Interpreter, load
from doorsill.errors import ConfigError
from doorsill.vision.detector import NetDetector
from doorsill.vision.ssd import SsdDecoder

SSD_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was named or given by path; only ours has a manifest."""

    title: str
    path: Path
    manifest: registry.Manifest | None

    def interpreter(self, threads: int = 1, runtime: str = "litert") -> Interpreter:
        """Loaded; one of ours is verified first."""
        if self.manifest is not None:
            return registry.opened(self.manifest, threads=threads, runtime=runtime)
        sound = require_sound(read(self.path), runtime)
        return load(sound, threads=threads, runtime=runtime)

    def detector(self) -> NetDetector:
        """Ready to find people in single frames: only what is sure counts."""
        net = self.interpreter()
        if self.manifest is not None and self.manifest.decode is not None:
            sure = replace(self.manifest.decode, threshold=self.manifest.decode.sure)
            alone = replace(self.manifest, decode=sure)
            return NetDetector(net, registry.heads_decoder(alone))
        if len(net.post_process) != 4:
            raise ConfigError(f"{self.title} is not a detector that can be evaluated")
        height, width = net.input.shape[1:3]
        order = net.post_process
        places = (order[0], order[1], order[2], order[3])
        return NetDetector(net, SsdDecoder(places, width / height, 0, SSD_SCORE))


def find(name: str) -> Model:
    """The model called ``name``, or at that path; ConfigError where there is none."""
    path = Path(name)
    if path.suffix == ".toml":
        manifest = registry.load_manifest(path)
        return Model(manifest.name, manifest.model_path, manifest)
    if path.suffix == ".tflite":
        return Model(path.name, path, None)
    manifest = registry.shipped(name)
    return Model(manifest.name, manifest.model_path, manifest)


def read(path: Path) -> bytes:
    """A model file; ConfigError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None

"""A model as a person names it, loaded to be tried or measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from doorsill.drivers.model.interpreter import Interpreter
from doorsill.drivers.model.probe import require_sound
from doorsill.drivers.model.runtime import load
from doorsill.errors import ConfigError
from doorsill.models import named
from doorsill.models.manifest import Manifest
from doorsill.models.stated import read_stated
from doorsill.vision.detect import heads, opening
from doorsill.vision.detect.detector import NetDetector
from doorsill.vision.detect.foreign import Foreign, foreign_detector
from doorsill.vision.detect.opening import manifested_detector
from doorsill.vision.detect.ssd import LOWEST_SCORE

SSD_SCORE = 0.5  # from which an SSD's answer counts in a single picture


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was named or given by path; only ours has a manifest."""

    named: named.Named

    @property
    def title(self) -> str:
        """A word or two for it."""
        return self.named.title

    @property
    def manifest(self) -> Manifest | None:
        """What is known about it; None for a bare file."""
        return self.named.manifest

    def interpreter(
        self, threads: int = 1, runtime: str = "litert", delegate: str = ""
    ) -> Interpreter:
        """Load the model; one of ours is verified first.

        Raises ConfigError where it cannot be loaded, UntrustedError where it is not
        what its manifest says.
        """
        if self.manifest is not None:
            return opening.open_model(
                self.manifest,
                threads=threads,
                runtime=runtime,
                delegate=delegate or None,
            )
        return self._bare(self.named.read(), threads, runtime, delegate)

    def _bare(
        self, model: bytes, threads: int, runtime: str, delegate: str
    ) -> Interpreter:
        try:
            if not delegate:  # with one, loading tries it in a child anyway
                require_sound(model, runtime)
            return load(
                model, threads=threads, runtime=runtime, delegate=delegate or None
            )
        except ConfigError as error:
            raise error.of(self.named.path) from None

    def foreign(
        self,
        lowest_score: float = SSD_SCORE,
        threads: int = 1,
        delegate: str = "",
    ) -> Foreign:
        """Load somebody else's detector; raises ConfigError where it is none."""
        if self.manifest is not None:
            net = self.interpreter(threads, delegate=delegate)
            return manifested_detector(self.manifest, net, lowest_score)
        model = self.named.read()
        net = self._bare(model, threads, "litert", delegate)
        try:
            return foreign_detector(net, read_stated(model), lowest_score=lowest_score)
        except ConfigError as error:
            raise error.of(self.named.path) from None

    def detector(self) -> NetDetector:
        """Load it to find people in single frames: only what is sure counts.

        Raises as ``interpreter``, and ConfigError where it is no detector.
        """
        if self.manifest is None or self.manifest.kind == "ssd":
            return self.foreign().detector
        if self.manifest.decode is None:
            raise ConfigError(f"{self.title} is not a detector that can be evaluated")
        sure = replace(self.manifest.decode, threshold=self.manifest.decode.sure)
        alone = replace(self.manifest, decode=sure)
        return NetDetector(self.interpreter(), opening.heads_decoder(alone))

    def counting_detector(self, threads: int = 1, delegate: str = "") -> NetDetector:
        """Load it to count with: what is weak is left to the tracker.

        Raises as ``detector``.
        """
        manifest = self.manifest
        if manifest is None or manifest.kind == "ssd":
            return self.foreign(LOWEST_SCORE, threads, delegate).detector
        if manifest.decode is None:
            raise ConfigError(f"{self.title} is not a detector")
        net = self.interpreter(threads, delegate=delegate)
        return NetDetector(net, opening.heads_decoder(manifest), heads.BIRTH_SCORE)


def model_named(name: str) -> Model:
    """The model called ``name``, or at that path; raises ConfigError for none."""
    return Model(named.find(name))

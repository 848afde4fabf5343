"""A model as a person names it, found in one place: ours, a manifest, or a bare file.

Nothing heavy is loaded here, because the uplink says which model counts, and finds it
here too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from doorsill.documents.reading import read_file
from doorsill.models.allowed import Allowed, require_allowed
from doorsill.models.manifest import Manifest, load_manifest, shipped, verified_model
from doorsill.models.recognise import MODEL_MAX_BYTES

MODEL_ENDINGS = (".tflite", ".lite")  # in capitals as well
MANIFEST_ENDING = ".toml"  # in capitals as well


@dataclass(frozen=True, slots=True)
class Named:
    """A model that was found by its name or path; nothing of it is read yet."""

    name: str  # as the person wrote it
    path: Path  # of the model's file
    manifest: Manifest | None  # None for a bare file, which is not ours

    @property
    def title(self) -> str:
        """A word or two for it."""
        return self.path.name if self.manifest is None else self.manifest.name

    @property
    def is_path(self) -> bool:
        """Whether it was named by a path, so that it may be anybody's."""
        return _is_file(self.name) or _is_manifest(self.name)

    def require_allowed(self, allowed: Allowed | None) -> str:
        """The SHA-256 of what runs under this name; None allows any.

        Raises UntrustedError if it is not allowed, ConfigError if a bare file cannot be
        read. What a manifest says is compared with the bytes by :meth:`read`.
        """
        if self.manifest is not None:
            return require_allowed(self.manifest.sha256, allowed, self.name)
        return self._require_bytes(self._bytes(), allowed)

    def read(self, allowed: Allowed | None = None) -> bytes:
        """The model's bytes; None allows any.

        Raises UntrustedError if they are not what the manifest says, or not allowed,
        ConfigError if they cannot be read.
        """
        if self.manifest is not None:
            self.require_allowed(allowed)
            return verified_model(self.manifest)
        model = self._bytes()
        self._require_bytes(model, allowed)
        return model

    def _bytes(self) -> bytes:
        return read_file(self.path, MODEL_MAX_BYTES)

    def _require_bytes(self, model: bytes, allowed: Allowed | None) -> str:
        return require_allowed(hashlib.sha256(model).hexdigest(), allowed, self.name)


def find(name: str) -> Named:
    """The model called ``name``, or at that path; raises ConfigError for none."""
    if _is_file(name):
        return Named(name, Path(name), None)
    manifest = load_manifest(Path(name)) if _is_manifest(name) else shipped(name)
    return Named(name, manifest.model_path, manifest)


def _is_manifest(name: str) -> bool:
    return name.lower().endswith(MANIFEST_ENDING)


def _is_file(name: str) -> bool:
    """Whether ``name`` is the path of a bare model, and not a model of ours by name."""
    return not _is_manifest(name) and (
        "/" in name or name.lower().endswith(MODEL_ENDINGS)
    )

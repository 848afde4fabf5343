"""Which models may run on a device: those that its signed policy names.

A policy that names none means those that came with this doorsill. A model decides what
is seen and counted, so no unsigned file may put another in its place. Nothing heavy is
loaded here, because the uplink uses this too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import doorsill
from doorsill.documents.reading import parse_toml, read_file, read_if_there
from doorsill.errors import ConfigError, UntrustedError
from doorsill.models.recognise import MODEL_MAX_BYTES

Allowed = frozenset[str]  # SHA-256, hexadecimal
MODEL_ENDINGS = (".tflite", ".lite")  # in capitals as well


def is_manifest(name: str) -> bool:
    """Whether ``name`` is the path of a manifest."""
    return name.lower().endswith(".toml")


def is_file(name: str) -> bool:
    """Whether ``name`` is the path of a bare model, and not a model of ours by name."""
    return not is_manifest(name) and (
        "/" in name or name.lower().endswith(MODEL_ENDINGS)
    )


def read_model(path: str) -> bytes:
    """The bytes of a bare model; raises ConfigError where it cannot be read."""
    return read_file(Path(path), MODEL_MAX_BYTES)


def allowed_models(named: Collection[str]) -> Allowed:
    """The models that may run under a policy that names ``named``, by SHA-256."""
    return frozenset(named or shipped_hashes())


def require_allowed(digest: str, allowed: Allowed | None, name: str) -> str:
    """Give ``digest`` back if that model may run; None allows any, for an evaluation.

    Raises UntrustedError otherwise.
    """
    if allowed is None or digest in allowed:
        return digest
    raise UntrustedError(
        f"the model {name} has SHA-256 {digest}, which the policy does not let run; "
        "take one that came with doorsill, or name it in the policy's models and sign"
    )


def model_hash(name: str) -> str:
    """The SHA-256 in the manifest of a model, or that of a bare file.

    ``name`` is one of ours or a path; the file is compared with this before it runs.
    Raises ConfigError where there is no such model.
    """
    if is_file(name):
        return hashlib.sha256(read_model(name)).hexdigest()
    named = [Path(name)] if is_manifest(name) else []
    for path in named or [folder / f"{name}.toml" for folder in _folders()]:
        try:
            data = read_if_there(path)
            if data is None:
                continue
            return _digest(path, parse_toml(data))
        except ConfigError as error:
            raise ConfigError(f"{path} is no manifest: {error}") from None
    known = ", ".join(shipped_hashes().values()) or "none"
    raise ConfigError(f"there is no model named {name}; there are: {known}")


def shipped_hashes() -> dict[str, str]:
    """The models that came with this installation: SHA-256 and name."""
    for folder in _folders():
        if paths := sorted(folder.glob("*.toml")):
            return {model_hash(str(path)): path.stem for path in paths}
    return {}


def _digest(path: Path, document: dict[str, Any]) -> str:
    try:
        digest = document["model"]["sha256"]
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no manifest: {error!r}") from None
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigError(f"{path}: model.sha256 is not 64 hexadecimal digits")
    return digest


def _folders() -> tuple[Path, ...]:
    package = Path(doorsill.__file__).parent
    return package / "models", package.parent.parent / "models"
